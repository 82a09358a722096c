// What every camera does, whatever becomes of its pictures; put before the text of each.

const SIDE = 480;

// The camera's stream, shown in a video element; null where there is none, and then `say` was told why.
async function streamInto(video, say) {
  if (!navigator.mediaDevices || !navigator.mediaDevices.getUserMedia) {
    say("This browser allows no camera on this page. Open the app as http://localhost on this computer.");
    return null;
  }
  say("Waiting for the camera …");
  try {
    const stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1280 } }, audio: false });
    video.srcObject = stream;
    await video.play();
    return stream;
  } catch (error) {
    const refused = error.name === "NotAllowedError";
    say(refused ? "The browser was not allowed to use the camera. Allow it next to the address, and try again."
                : `The camera could not be opened (${error.name}). Is one connected, and not in use by another program?`);
    return null;
  }
}

// The middle square of what a video shows, as a JPEG data address of at most SIDE pixels.
function squareOf(video, quality) {
  const side = Math.min(video.videoWidth, video.videoHeight);
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = Math.min(SIDE, side);
  const left = (video.videoWidth - side) / 2, top = (video.videoHeight - side) / 2;
  canvas.getContext("2d").drawImage(video, left, top, side, side, 0, 0, canvas.width, canvas.height);
  return canvas.toDataURL("image/jpeg", quality);
}
