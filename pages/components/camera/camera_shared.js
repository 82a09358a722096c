// What every camera of the app does; put before the text of each. There is one stream for all: it moves to whoever
// takes it. Which camera, and whether it is a mirror, is kept for the browser tab.

const SIDE = 480;
const MIRROR = "mirror", PLAIN = "plain", STORED = "stored";
const camera = window.unfreezeCamera ??= oneForAll();

// A user of the camera has a video element, and is told when the stream has gone elsewhere (lost), could not be had or
// has ended (failed, with the key of a text), and when any camera has been opened, closed or set otherwise (changed).
function oneForAll() {
  const users = new Set(), memory = {};
  let stream = null, owner = null, opening = null, devices = [];

  const kept = (name) => { try { return sessionStorage.getItem(`unfreeze-${name}`); } catch { return memory[name]; } };
  const keep = (name, value) => {
    try { sessionStorage.setItem(`unfreeze-${name}`, value); } catch { memory[name] = value; }
  };
  const tellAll = () => users.forEach((user) => user.changed());
  const track = () => stream?.getVideoTracks()[0];
  const list = async () => {
    devices = (await navigator.mediaDevices.enumerateDevices()).filter((device) => device.kind === "videoinput");
    tellAll();
  };

  function stop() {
    stream?.getTracks().forEach((each) => each.stop());
    stream = null;
  }

  // The stream of the camera that was chosen, which a browser may have given another id since; else of any.
  async function wished() {
    const ask = (more) => navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1280 }, ...more }, audio: false });
    const exactly = (id) => ask({ deviceId: { exact: id } });
    if (!kept("camera")) return ask();
    try { return await exactly(kept("camera")); } catch (error) { if (error.name !== "OverconstrainedError") throw error; }
    const any = await ask();
    const same = (await navigator.mediaDevices.enumerateDevices()).find(
      (device) => device.kind === "videoinput" && device.label && device.label === kept("camera-name"));
    if (!same || same.deviceId === any.getVideoTracks()[0].getSettings().deviceId) return any;
    any.getTracks().forEach((each) => each.stop());
    return exactly(same.deviceId);
  }

  async function open() {
    if (!navigator.mediaDevices?.getUserMedia) throw { name: "Insecure" };
    const found = await wished();
    if (!owner) { found.getTracks().forEach((each) => each.stop()); return; }
    stream = found;
    track().addEventListener("ended", () => { if (stream === found) fail("ended"); });
    navigator.mediaDevices.ondevicechange = list;
    await list();
  }

  function fail(problem) {
    const last = owner;
    owner = null;
    stop();
    last?.failed(problem);
    tellAll();
  }

  async function take(user) {
    if (owner && owner !== user) { owner.video.srcObject = null; owner.lost(); }
    owner = user;
    try {
      if (!stream) await (opening ??= open().finally(() => { opening = null; }));
    } catch (error) {
      if (owner === user) fail(PROBLEMS[error.name] || "failed");
      return false;
    }
    if (owner !== user || !stream) return false;
    if (user.video.srcObject !== stream) user.video.srcObject = stream;
    await user.video.play().catch(() => {});  // the stream may have moved on already
    tellAll();
    return owner === user;
  }

  const isFront = () => {
    const { facingMode } = track()?.getSettings() || {};
    return facingMode ? facingMode !== "environment" : !/\b(back|rear|environment)\b/i.test(track()?.label || "");
  };

  return {
    take,
    join: (user) => users.add(user),
    leave: (user) => { users.delete(user); if (owner === user) { owner = null; stop(); tellAll(); } },
    isOpen: () => stream !== null,
    isAt: (user) => stream !== null && owner === user,
    devices: () => devices,
    device: () => track()?.getSettings().deviceId,
    choose: (id) => {
      keep("camera", id);
      keep("camera-name", devices.find((device) => device.deviceId === id)?.label || "");
      stop();
      if (owner) take(owner);
    },
    look: () => kept("look") || (isFront() ? MIRROR : PLAIN),
    chooseLook: (look) => { keep("look", look); tellAll(); },
  };
}

const PROBLEMS = {
  Insecure: "insecure", NotAllowedError: "refused", SecurityError: "refused", NotFoundError: "missing",
  OverconstrainedError: "missing", NotReadableError: "busy", AbortError: "busy",
};

// The choice of a camera, where there are several, and of how its picture is shown and stored.
function settings(root, texts) {
  const fold = root.querySelector(".settings"), which = fold.querySelector(".which"), look = fold.querySelector(".look");
  fold.querySelector("summary").setAttribute("aria-label", texts.settings);
  fold.querySelector(".which-words").textContent = texts.which;
  fold.querySelector(".look-words").textContent = texts.look;
  look.replaceChildren(...[MIRROR, PLAIN, STORED].map((name) => new Option(texts[name], name)));
  which.addEventListener("change", () => camera.choose(which.value));
  look.addEventListener("change", () => camera.chooseLook(look.value));
  fold.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { fold.open = false; fold.querySelector("summary").focus(); }
  });
  return (isHere) => {
    fold.hidden = !isHere;
    if (!isHere) { fold.open = false; return; }
    which.parentElement.hidden = camera.devices().length < 2;
    which.replaceChildren(...camera.devices().map((device, number) =>
      new Option(device.label || fill(texts.unnamed, { number: number + 1 }), device.deviceId)));
    which.value = camera.device();
    look.value = camera.look();
    root.classList.toggle("mirrored", camera.look() !== PLAIN);
  };
}

const fill = (text, values) => text.replace(/{(\w+)}/g, (_, name) => values[name]);

// The middle square of what a video shows, as a JPEG data address of at most SIDE pixels; empty while there is nothing.
function squareOf(video, quality) {
  const side = Math.min(video.videoWidth, video.videoHeight);
  if (!side) return "";
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = Math.min(SIDE, side);
  const pen = canvas.getContext("2d");
  if (camera.look() === STORED) { pen.translate(canvas.width, 0); pen.scale(-1, 1); }
  const left = (video.videoWidth - side) / 2, top = (video.videoHeight - side) / 2;
  pen.drawImage(video, left, top, side, side, 0, 0, canvas.width, canvas.height);
  return canvas.toDataURL("image/jpeg", quality);
}
