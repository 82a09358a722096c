// Hands pictures from the clipboard to the server, one at a time: pasted anywhere on the page, or by the button.
// A picture is sent again until the server has said that it came, so that none is lost and none counts twice.

const MOST_AT_ONCE = 12, MOST_SIDE = 4096, RESEND_MS = 8000;
const UNREADABLE = "This picture cannot be read. Save it as a file, and choose it under Photos.";

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
  const paste = { queue: [], sent: null, number: 0, data: {}, send: () => {} };
  const keys = /Mac|iPhone|iPad/.test(navigator.platform) ? "⌘V" : "Ctrl+V";
  let note = "";
  root.querySelector(".keys").textContent = keys;

  function tell() {
    const count = paste.queue.length + (paste.sent ? 1 : 0);
    words.textContent = count ? `Sending ${count === 1 ? "a picture" : `${count} pictures`} …` : note;
  }

  async function take(blobs) {
    const pictures = blobs.filter((blob) => blob.type.startsWith("image/"));
    note = pictures.length ? "" : "There is no picture in the clipboard.";
    if (pictures.length > MOST_AT_ONCE)
      note = `Of ${pictures.length} pictures, the first ${MOST_AT_ONCE} were taken. Choose more under Photos.`;
    for (const blob of pictures.slice(0, MOST_AT_ONCE)) {
      try {
        paste.queue.push(await address(blob.size > paste.data.most ? await smaller(blob) : blob));
      } catch {
        note = UNREADABLE;
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
      note = `This browser hands over pictures by ${keys} only.`;
      return tell();
    }
    try {
      const items = await navigator.clipboard.read();
      const kinds = items.map((item) => [item, item.types.find((type) => type.startsWith("image/"))]);
      await take(await Promise.all(kinds.filter(([, kind]) => kind).map(([item, kind]) => item.getType(kind))));
    } catch {
      note = `The browser was not allowed to read the clipboard. Press ${keys} instead.`;
      tell();
    }
  }

  paste.update = (data) => {
    paste.data = data;
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
