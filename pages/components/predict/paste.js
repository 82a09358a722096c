// Hands pictures from the clipboard to the server, one at a time: pasted anywhere on the page, or by the button.
// A picture is sent again until the server has said that it came, so that none is lost and none counts twice.

const MOST_AT_ONCE = 12, MOST_SIDE = 4096, RESEND_MS = 8000;

const fill = (text, values) => text.replace(/{(\w+)}/g, (_, name) => values[name]);

export default function (component) {
  const { parentElement, data, setTriggerValue } = component;
  const root = parentElement.querySelector(".paste");
  const paste = root.paste || (root.paste = create(root));
  paste.send = (picture) => setTriggerValue("picture", picture);
  paste.update(data);
  return () => paste.stop();
}

function create(root) {
  const words = root.querySelector(".words");
  const session = Math.random().toString(36).slice(2);
  const paste = { queue: [], sent: null, number: 0, data: { texts: {} }, send: () => {} };
  const keys = /Mac|iPhone|iPad/.test(navigator.platform) ? "⌘V" : "Ctrl+V";
  let note = "", values = {};  // what is said when nothing is being sent: a text by its name, and what it names
  root.querySelector(".keys").textContent = keys;

  function say(name, more) {
    note = name;
    values = { keys, most: MOST_AT_ONCE, ...more };
  }

  function tell() {
    const count = paste.queue.length + (paste.sent ? 1 : 0);
    const texts = paste.data.texts;
    if (count) words.textContent = count === 1 ? texts.one : fill(texts.several, { count });
    else words.textContent = note ? fill(texts[note], values) : "";
  }

  async function take(blobs) {
    const pictures = blobs.filter((blob) => blob.type.startsWith("image/"));
    say(pictures.length ? "" : "none");
    if (pictures.length > MOST_AT_ONCE) say("many", { count: pictures.length });
    for (const blob of pictures.slice(0, MOST_AT_ONCE)) {
      try {
        paste.queue.push(await address(blob.size > paste.data.most ? await smaller(blob) : blob));
      } catch {
        say("unreadable");
      }
    }
    next();
  }

  function next() {
    if (!paste.sent && paste.queue.length) {
      paste.number += 1;
      paste.sent = { id: `${session}-${paste.number}`, address: paste.queue.shift() };
      post();
    }
    tell();
  }

  function post() {
    const picture = paste.sent;
    if (!picture) return;
    paste.send(picture);
    setTimeout(() => { if (paste.sent === picture) post(); }, RESEND_MS);
  }

  function pasted(event) {
    const place = event.composedPath()[0];
    const typing = place instanceof Element && place.closest("input, textarea, [contenteditable]");
    const files = [...event.clipboardData.files];
    if (typing && !files.length) return; // a text, for the field where it is pasted
    event.preventDefault();
    take(files);
  }

  async function read() {
    if (!navigator.clipboard || !navigator.clipboard.read) {
      say("keys");
      return tell();
    }
    try {
      const items = await navigator.clipboard.read();
      const kinds = items.map((item) => [item, item.types.find((type) => type.startsWith("image/"))]);
      await take(await Promise.all(kinds.filter(([, kind]) => kind).map(([item, kind]) => item.getType(kind))));
    } catch {
      say("refused");
      tell();
    }
  }

  paste.update = (data) => {
    paste.data = data;
    const [before, after] = data.texts.hint.split("{keys}");
    root.querySelector(".button").textContent = data.texts.button;
    root.querySelector(".before").textContent = before;
    root.querySelector(".after").textContent = after;
    if (paste.sent && data.received === paste.sent.id) paste.sent = null;
    next();
  };
  paste.stop = () => {
    paste.sent = null;
    document.removeEventListener("paste", pasted);
  };
  root.querySelector(".button").addEventListener("click", read);
  document.addEventListener("paste", pasted);
  return paste;
}

const address = (blob) => new Promise((done, failed) => {
  const reader = new FileReader();
  reader.onload = () => done(reader.result);
  reader.onerror = failed;
  reader.readAsDataURL(blob);
});

async function smaller(blob) {
  const picture = await createImageBitmap(blob);
  const scale = Math.min(1, MOST_SIDE / Math.max(picture.width, picture.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(scale * picture.width));
  canvas.height = Math.max(1, Math.round(scale * picture.height));
  const pen = canvas.getContext("2d");
  pen.fillStyle = "#fff"; // where it is transparent, as the model sees it
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.imageSmoothingQuality = "high";
  pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
  picture.close();
  return new Promise((done, failed) => {
    canvas.toBlob((made) => (made ? done(made) : failed(new Error("too large"))), "image/jpeg", 0.92);
  });
}
