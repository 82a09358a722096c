// A camera that shows the server a frame about twice a second, and hands over a photo when its button is pressed.
// The next frame goes only after the last was answered, so that a slow server is never flooded.

const EVERY_MS = 400, PATIENCE_MS = 5000;

export default function (component) {
  const { parentElement, data, setTriggerValue } = component;
  const root = parentElement.querySelector(".camera");
  const live = root.live || (root.live = create(root));
  live.send = (frame) => setTriggerValue("frame", frame);
  live.update(data);
  return () => live.stop();
}

function create(root) {
  const find = (name) => root.querySelector(`.${name}`);
  const video = find("view"), start = find("start"), shutter = find("shutter"), words = find("words");
  const session = Math.random().toString(36).slice(2);
  const live = { number: 0, waiting: null, taken: 0, send: () => {} };
  let stream = null, timer = null, sentAt = 0;
  const say = (text) => { if (words.textContent !== text) words.textContent = text; };

  async function open() {
    stream = await streamInto(video, say);
    if (!stream) return;
    start.hidden = true;
    shutter.hidden = false;
    root.classList.add("on");
    timer = setInterval(() => show(false), EVERY_MS);
  }

  function show(keep) {
    const side = Math.min(video.videoWidth, video.videoHeight);
    const now = performance.now();
    if (!side || document.hidden || (live.waiting && !keep && now - sentAt < PATIENCE_MS)) return;
    if (live.kept && now - sentAt < PATIENCE_MS) return;
    live.number += 1;
    live.waiting = `${session}-${live.number}`;
    live.kept = keep;
    sentAt = now;
    live.send({ id: live.waiting, keep, jpeg: squareOf(video, 0.9) });
  }

  live.update = (data) => {
    if (data.answered === live.waiting) { live.waiting = null; live.kept = false; }
    if (stream && data.words) say(data.words);
  };
  live.stop = () => {
    clearInterval(timer);
    timer = null;
    if (stream) stream.getTracks().forEach((track) => track.stop());
    stream = null;
  };
  start.addEventListener("click", open);
  shutter.addEventListener("click", () => show(true));
  return live;
}
