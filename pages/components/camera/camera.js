// A camera that takes photos as long as its button is held down, and hands them to the server a few at a time.
// A batch is sent again until the server has said that it came, so that no photo is lost and none counts twice.

const EVERY_MS = 250, BATCH = 8, RESEND_MS = 6000;

export default function (component) {
  const { parentElement, data, setTriggerValue } = component;
  const root = parentElement.querySelector(".camera");
  const camera = root.camera || (root.camera = create(root));
  camera.send = (batch) => setTriggerValue("photos", batch);
  camera.update(data);
  return () => camera.stop();
}

function create(root) {
  const find = (name) => root.querySelector(`.${name}`);
  const video = find("view"), start = find("start"), shutter = find("shutter"), words = find("words");
  const session = Math.random().toString(36).slice(2);
  const camera = { queue: [], sent: null, number: 0, data: {}, send: () => {} };
  let stream = null, timer = null;

  const say = (text) => { words.textContent = text; };
  const waiting = () => camera.queue.length + (camera.sent ? camera.sent.photos.length : 0);
  const tell = () => {
    if (!stream) return;
    say(waiting() ? `saving ${waiting()} …` : `${camera.data.count} in ${camera.data.class_name}`);
  };

  async function open() {
    stream = await streamInto(video, say);
    if (!stream) return;
    start.hidden = true;
    shutter.hidden = false;
    root.classList.add("on");
    tell();
  }

  function take() {
    const side = Math.min(video.videoWidth, video.videoHeight);
    if (!side || waiting() > 60) return;
    camera.queue.push({ class_name: camera.data.class_name, jpeg: squareOf(video, 0.92) });
    root.classList.remove("flash");
    void root.offsetWidth;
    root.classList.add("flash");
    flush();
    tell();
  }

  function flush() {
    if (camera.sent || !camera.queue.length) return;
    const class_name = camera.queue[0].class_name;
    const photos = [];
    while (photos.length < BATCH && camera.queue.length && camera.queue[0].class_name === class_name)
      photos.push(camera.queue.shift().jpeg);
    camera.number += 1;
    camera.sent = { id: `${session}-${camera.number}`, class_name, dataset: camera.data.dataset, photos };
    post();
  }

  function post() {
    const batch = camera.sent;
    if (!batch) return;
    camera.send(batch);
    setTimeout(() => { if (camera.sent === batch) post(); }, RESEND_MS);
  }

  function press(event) {
    event.preventDefault();
    if (timer) return;
    take();
    timer = setInterval(take, EVERY_MS);
  }

  function release() {
    clearInterval(timer);
    timer = null;
  }

  camera.update = (data) => {
    camera.data = data;
    if (camera.sent && data.received === camera.sent.id) camera.sent = null;
    flush();
    tell();
  };
  camera.stop = () => {
    release();
    if (stream) stream.getTracks().forEach((track) => track.stop());
    stream = null;
  };
  start.addEventListener("click", open);
  shutter.addEventListener("pointerdown", press);
  for (const name of ["pointerup", "pointerleave", "pointercancel", "blur"]) shutter.addEventListener(name, release);
  shutter.addEventListener("keydown", (event) => { if (event.key === " " || event.key === "Enter") press(event); });
  shutter.addEventListener("keyup", release);
  return camera;
}
