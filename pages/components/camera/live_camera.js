// A camera that shows the server a frame about twice a second, and hands over a photo when its button is pressed.
// The next frame goes only after the last was answered, so that a slow server is never flooded.

const EVERY_MS = 400, PATIENCE_MS = 5000;

export default function (component) {
  const { parentElement, data, setTriggerValue } = component;
  const root = parentElement.querySelector(".camera");
  const live = root.live || (root.live = create(root, data.texts));
  live.send = (frame) => setTriggerValue("frame", frame);
  live.update(data);
  return () => live.stop();
}

function create(root, texts) {
  const find = (name) => root.querySelector(`.${name}`);
  const video = find("view"), start = find("start"), shutter = find("shutter"), words = find("words");
  const session = Math.random().toString(36).slice(2);
  const showSettings = settings(root, texts);
  const live = { number: 0, waiting: null, send: () => {} };
  let timer = null, sentAt = 0;
  const say = (text) => { if (words.textContent !== text) words.textContent = text; };
  const user = { video, lost: () => {}, failed: (problem) => say(texts[problem]), changed };
  start.textContent = texts.start;
  shutter.textContent = texts.take;

  function changed() {
    const here = camera.isAt(user);
    start.hidden = here;
    shutter.hidden = !here;
    root.classList.toggle("here", here);
    showSettings(here);
    if (here) timer ??= setInterval(() => show(false), EVERY_MS);
    else { clearInterval(timer); timer = null; }
  }

  function show(keep) {
    const now = performance.now();
    if (document.hidden || (live.waiting && !keep && now - sentAt < PATIENCE_MS)) return;
    if (live.kept && now - sentAt < PATIENCE_MS) return;
    const jpeg = squareOf(video, 0.9);
    if (!jpeg) return;
    live.number += 1;
    live.waiting = `${session}-${live.number}`;
    live.kept = keep;
    sentAt = now;
    live.send({ id: live.waiting, keep, jpeg });
  }

  live.update = (data) => {
    if (data.answered === live.waiting) { live.waiting = null; live.kept = false; }
    if (camera.isAt(user) && data.words) say(data.words);
  };
  live.stop = () => {
    camera.leave(user);
    clearInterval(timer);
    timer = null;
  };
  camera.join(user);
  start.addEventListener("click", () => { say(texts.waiting); camera.take(user).then((here) => { if (here) say(""); }); });
  shutter.addEventListener("click", () => show(true));
  return live;
}
