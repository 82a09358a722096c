// A class as a card: its name, a camera that takes photos as long as its button is held, and its latest photos.
// What a person does becomes an order to the server. Orders go one after the other, and each is sent again until the
// server has said that it was carried out, so that no photo is lost and none counts twice.

const FIRST_MS = 400, EVERY_MS = 200, BATCH = 8, MOST_WAITING = 60, RESEND_MS = 6000;

export default function (component) {
  const { parentElement, data, setTriggerValue } = component;
  const root = parentElement.querySelector(".card");
  const card = root.card || (root.card = create(root, data.texts));
  card.post = (order) => setTriggerValue("order", order);
  card.update(data);
  return () => card.stop();
}

function create(root, texts) {
  const find = (name) => root.querySelector(`.${name}`);
  const video = find("view"), shutter = find("shutter"), words = find("words"), name = find("name");
  const count = find("count"), list = find("photos"), last = find("last"), undo = find("undo"), discard = find("discard");
  const session = Math.random().toString(36).slice(2);
  const showSettings = settings(root, texts);
  const card = { data: {}, post: () => {} };
  const user = { video, lost: () => { release(); say(""); }, failed: (problem) => say(texts.troubles[problem]), changed };
  const queue = [];
  let sent = null, number = 0, hold = 0, held = false, timer = null;

  const say = (text) => { if (words.textContent !== text) words.textContent = text; };
  const photosIn = (order) => order.kind === "photos" ? order.photos.length : order.kind === "photo" ? 1 : 0;
  const waiting = () => [...queue, ...(sent ? [sent] : [])].reduce((sum, order) => sum + photosIn(order), 0);
  const isComing = (kind) => sent?.kind === kind || queue.some((order) => order.kind === kind);

  function order(kind, facts = {}) {
    queue.push({ kind, dataset: card.data.dataset, class_name: card.data.class_name, ...facts });
    flush();
  }

  function flush() {
    if (sent || !queue.length) return;
    number += 1;
    const first = queue.shift();
    sent = { ...first, id: `${session}-${number}` };
    if (first.kind === "photo") {
      const same = (other) => ["kind", "dataset", "class_name", "hold"].every((key) => other?.[key] === first[key]);
      sent = { ...sent, kind: "photos", photos: [first.jpeg], jpeg: undefined };
      while (sent.photos.length < BATCH && same(queue[0])) sent.photos.push(queue.shift().jpeg);
    }
    post();
  }

  function post() {
    const current = sent;
    if (!current) return;
    card.post(current);
    setTimeout(() => { if (sent === current) post(); }, RESEND_MS);
  }

  // ---- the camera

  function changed() {
    const here = camera.isAt(user);
    root.classList.toggle("here", here);
    shutter.textContent = camera.isOpen() ? (timer ? texts.recording : texts.hold) : texts.open;
    showSettings(here);
  }

  function shoot() {
    const full = waiting() >= MOST_WAITING, jpeg = full ? "" : squareOf(video, 0.92);
    if (full) say(texts.saving);
    if (!jpeg) return;
    order("photo", { jpeg, hold: `${session}-${hold}` });
    root.classList.remove("flash");
    void root.offsetWidth;
    root.classList.add("flash");
    tell();
  }

  function record() {
    hold += 1;
    say("");
    shoot();
    if (held) timer = setTimeout(function again() { shoot(); timer = setTimeout(again, EVERY_MS); }, FIRST_MS);
    root.classList.toggle("recording", held);
    changed();
  }

  // Holding the button moves the camera here and records; where none is open yet, the first press only opens it, since
  // the browser may ask, and would then not say when the button was let go.
  async function press(event) {
    event.preventDefault();
    if (held) return;
    if (event.type === "pointerdown") shutter.setPointerCapture(event.pointerId);  // the page may move beneath it
    held = event.type !== "click";
    shutter.focus({ preventScroll: true });
    const wasOpen = camera.isOpen();
    if (!camera.isAt(user)) {
      say(wasOpen ? "" : texts.waiting);
      if (!await camera.take(user)) return;
      say(wasOpen ? "" : camera.look() === MIRROR ? texts.ready_mirror : texts.ready);
    }
    if (wasOpen) record();
  }

  function release() {
    held = false;
    clearTimeout(timer);
    timer = null;
    root.classList.remove("recording");
    changed();
  }

  // ---- what is known of the class

  function tell() {
    const { problem } = card.data;
    count.textContent = texts.counts[Math.min(waiting(), texts.counts.length - 1)];
    if (problem) say(problem);
  }

  function showPhotos(photos) {
    const shown = new Map([...list.children].map((item) => [item.dataset.name, item]));
    const focused = [...list.children].findIndex((item) => item.contains(root.getRootNode().activeElement));
    list.replaceChildren(...photos.map((photo) => shown.get(photo.name) || item(photo)));
    if (focused >= 0) (list.children[Math.min(focused, photos.length - 1)]?.firstChild || shutter).focus();
  }

  function item(photo) {
    const entry = document.createElement("li"), button = document.createElement("button");
    const picture = document.createElement("img"), cross = document.createElement("span");
    entry.dataset.name = photo.name;
    button.type = "button";
    button.setAttribute("aria-label", fill(texts.remove, { name: photo.name }));
    button.title = texts.remove_this;
    picture.src = photo.picture;
    picture.alt = "";
    cross.textContent = "✕";
    cross.setAttribute("aria-hidden", "true");
    button.append(picture, cross);
    button.addEventListener("click", () => order("remove", { names: [photo.name] }));
    entry.append(button);
    return entry;
  }

  card.update = (data) => {
    const before = card.data;
    card.data = data;
    Object.assign(texts, data.texts);
    name.setAttribute("aria-label", texts.name);
    list.setAttribute("aria-label", texts.photos);
    if (sent && data.received === sent.id) sent = null;
    if (before.problem && !data.problem && words.textContent === before.problem) say("");
    if (name !== root.getRootNode().activeElement && !isComing("rename")) name.value = data.class_name;
    root.setAttribute("aria-label", data.class_name);
    discard.hidden = !data.removable;
    discard.setAttribute("aria-label", fill(texts.discard, { name: data.class_name }));
    discard.title = texts.discard_this;
    last.hidden = data.last < 2;
    last.textContent = texts.last;
    undo.hidden = !data.undo;
    undo.textContent = texts.undo;
    showPhotos(data.photos);
    flush();
    tell();
  };
  card.stop = () => { release(); camera.leave(user); window.removeEventListener("blur", release); };

  camera.join(user);
  window.addEventListener("blur", release);
  shutter.addEventListener("pointerdown", (event) => { if (!event.button) press(event); });
  for (const event of ["pointerup", "pointercancel", "lostpointercapture", "blur", "keyup"])
    shutter.addEventListener(event, release);
  shutter.addEventListener("keydown", (event) => { if (event.key === " " || event.key === "Enter") press(event); });
  shutter.addEventListener("click", (event) => { if (!event.detail) press(event); });  // from a screen reader
  shutter.addEventListener("contextmenu", (event) => event.preventDefault());
  name.addEventListener("focus", () => name.select());
  name.addEventListener("change", () => { if (name.value !== card.data.class_name) order("rename", { name: name.value }); });
  name.addEventListener("keydown", (event) => {
    if (event.key === "Escape") name.value = card.data.class_name;
    if (event.key === "Enter" || event.key === "Escape") name.blur();
  });
  last.addEventListener("click", () => order("remove_last"));
  undo.addEventListener("click", () => order("undo"));
  discard.addEventListener("click", () => order("discard"));
  changed();
  return card;
}
