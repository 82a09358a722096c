// The border between what stays frozen and what learns: dragged in the drawing, or moved with the arrow keys.
// What was sent is on show until the server has taken it over, so that quick moves do not jump back.

export default function (component) {
  const { parentElement, data, setStateValue } = component;
  const root = parentElement.querySelector(".uf-network");
  const border = root.border || (root.border = create(root));
  border.send = (frozen) => setStateValue("frozen", frozen);
  border.update(data);
}

function create(root) {
  const row = root.querySelector(".picture");
  const border = { data: null, frozen: 0, sent: null, send: () => {} };
  let blocks, cells, handle, before = null;

  function draw(html) {
    row.innerHTML = html;
    blocks = row.querySelector(".blocks");
    cells = [...row.querySelectorAll(".block")];
    handle = row.querySelector(".border");
    blocks.classList.add("movable");
    for (const [name, value] of Object.entries({
      role: "slider", tabindex: "0", "aria-orientation": "horizontal",
      "aria-valuemin": "0", "aria-valuemax": String(cells.length - 1),
    })) handle.setAttribute(name, value);
    handle.addEventListener("keydown", press);
    blocks.addEventListener("pointerdown", grab);
    blocks.addEventListener("pointermove", drag);
    blocks.addEventListener("pointerup", drop);
    blocks.addEventListener("pointercancel", () => { if (before !== null) show(before); before = null; });
  }

  function show(frozen) {
    border.frozen = frozen;
    const { words, cut, taken } = border.data;
    row.firstElementChild.style.setProperty("--frozen", frozen);
    cells.forEach((cell, number) => {
      const partly = cut > 0 && number === frozen && frozen === taken;
      cell.className = `block ${partly ? "partly" : number < frozen ? "frozen" : "learns"}`;
      cell.style.setProperty("--cut", `${Math.round(100 * cut)}%`);
    });
    const { learns, cold, warm, told } = words[frozen];
    root.querySelector(".cold").textContent = cold;
    root.querySelector(".warm").textContent = warm;
    root.querySelector(".what").textContent = learns;
    handle.setAttribute("aria-valuenow", frozen);
    handle.setAttribute("aria-valuetext", told);
  }

  function send(frozen) {
    if (frozen !== (border.sent ?? border.data.taken)) border.send(border.sent = frozen);
    root.setAttribute("aria-busy", border.sent !== null);
  }

  function press(event) {
    const last = cells.length - 1;
    const to = {
      ArrowLeft: border.frozen - 1, ArrowDown: border.frozen - 1, PageDown: border.frozen - 3, Home: 0,
      ArrowRight: border.frozen + 1, ArrowUp: border.frozen + 1, PageUp: border.frozen + 3, End: last,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    show(Math.min(last, Math.max(0, to)));
    send(border.frozen);
  }

  const nearest = (event) => {
    const { left, width } = blocks.getBoundingClientRect();
    const place = Math.round((event.clientX - left) / width * cells.length);
    return Math.min(cells.length - 1, Math.max(0, place));
  };

  function grab(event) {
    if (event.button) return;
    before = border.frozen;
    blocks.setPointerCapture(event.pointerId);
    show(nearest(event));
    handle.focus({ preventScroll: true });
    event.preventDefault();
  }

  function drag(event) { if (before !== null) show(nearest(event)); }

  function drop() {
    if (before === null) return;
    before = null;
    send(border.frozen);
  }

  border.update = (data) => {
    const drawn = border.data && border.data.html === data.html;
    border.data = data;
    if (!drawn) draw(data.html);
    handle.setAttribute("aria-label", data.label);
    root.querySelector(".hint").title = data.block;
    root.querySelector(".how").textContent = data.how;
    if (border.sent === data.taken) border.sent = null;
    root.setAttribute("aria-busy", border.sent !== null);
    show(before !== null ? border.frozen : border.sent ?? data.taken);
  };
  return border;
}
