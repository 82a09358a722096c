// Photos as buttons in a grid: a click or Enter opens one, Shift selects several, keys decide about them.
// What is said to the server is said again until it has been taken over, so that quick decisions are neither lost nor
// made twice. Moving and selecting is not said at all.

const RESEND_MS = 6000, LOOK_MS = 150, PATIENCE = 60;

export default function (component) {
  const { parentElement, data, setTriggerValue } = component;
  const root = parentElement.querySelector(".gallery");
  const gallery = root.gallery || (root.gallery = create(root));
  gallery.send = (said) => setTriggerValue("said", said);
  gallery.update(data);
}

function made(name, className, text) {
  const node = document.createElement(name);
  node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

function create(root) {
  const grid = root.querySelector(".grid"), bar = root.querySelector(".bar"), told = root.querySelector(".told");
  const session = Math.random().toString(36).slice(2);
  const gallery = { send: () => {} };
  const cells = new Map(), selected = new Set();
  let data = null, order = [], current = null, anchor = null, drawn = "", number = 0, waiting = [];

  const inside = () => grid.contains(root.getRootNode().activeElement);
  const chosen = () => order.filter((id) => selected.has(id));
  const near = (place) => order[Math.max(0, Math.min(order.length - 1, place))];

  // What is drawn

  function fill(cell, photo) {
    const frame = made("span", "frame");
    if (photo.url) {
      const picture = made("img", "");
      Object.assign(picture, { src: photo.url, alt: "", decoding: "async", draggable: false });
      frame.append(picture);
    } else frame.append(made("span", "gone", photo.note));
    if (data.actions.length) frame.append(made("span", "tick", "✓"));
    if (photo.badge) frame.append(made("span", `badge ${photo.mark}`, `${data.signs[photo.mark] || ""} ${photo.badge}`));
    cell.replaceChildren(frame, made("span", "title", photo.title), made("span", "note", photo.url ? photo.note : ""));
    cell.setAttribute("aria-label", photo.spoken);
    cell.title = photo.spoken;
  }

  function drawPhotos(photos) {
    const former = order.indexOf(current), focused = inside(), there = new Set(photos.map((photo) => photo.id));
    for (const [id, cell] of cells) if (!there.has(id)) { cell.remove(); cells.delete(id); selected.delete(id); }
    photos.forEach((photo, place) => {
      const text = JSON.stringify(photo);
      let cell = cells.get(photo.id);
      if (!cell) cells.set(photo.id, cell = made("div", "cell"));
      if (cell.dataset.text !== text) { cell.dataset.text = text; fill(cell, photo); }
      cell.dataset.id = photo.id;
      cell.setAttribute("role", data.actions.length ? "option" : "button");
      if (grid.children[place] !== cell) grid.insertBefore(cell, grid.children[place] || null);
    });
    order = photos.map((photo) => photo.id);
    if (!there.has(current)) current = former < 0 ? order[0] : near(former);
    if (!there.has(anchor)) anchor = current;
    if (focused && !inside()) cells.get(current)?.focus({ preventScroll: true });
  }

  function drawBar() {
    const text = JSON.stringify([data.actions, data.words]);
    if (text === drawn) return;
    drawn = text;
    root.querySelector(".hint").replaceChildren(data.words.hint, ...data.actions.map((action) => {
      const keys = made("span", "keys", " ");
      keys.append(made("kbd", "", action.key), ` ${action.label}`);
      return keys;
    }));
    const everything = made("button", "", data.words.all), nothing = made("button", "", data.words.none);
    everything.addEventListener("click", () => { order.forEach((id) => selected.add(id)); show(); });
    nothing.addEventListener("click", () => { selected.clear(); show(); focus(current); });
    bar.replaceChildren(made("b", "count"), ...data.actions.map(drawAction), everything, nothing);
  }

  function drawAction(action) {
    const button = made("button", "act");
    button.append(made("kbd", "", action.key), ` ${action.label}`);
    if (!action.choices.length) {
      button.addEventListener("click", () => decide(action));
      return button;
    }
    const both = made("span", "choice"), choice = made("select", "");
    choice.setAttribute("aria-label", action.label);
    choice.append(new Option(data.words.choose, ""), ...action.choices.map((name, place) => new Option(action.shown[place] || name, name)));
    choice.value = action.choices.includes(action.choice) ? action.choice : "";
    button.addEventListener("click", () => decide(action));
    choice.addEventListener("change", () => { button.disabled = !choice.value; });
    button.disabled = !choice.value;
    choice.dataset.action = action.name;
    both.append(choice, button);
    return both;
  }

  function show() {
    for (const [id, cell] of cells) {
      cell.tabIndex = id === current ? 0 : -1;
      if (data.actions.length) cell.setAttribute("aria-selected", selected.has(id));
      cell.classList.toggle("busy", waiting.some((said) => said.what !== "open" && said.photos.includes(id)));
    }
    root.classList.toggle("choosing", selected.size > 0);
    root.classList.toggle("quiet", !data.hinted);
    bar.hidden = !selected.size;
    const words = selected.size ? data.words.count.replace("{count}", selected.size) : "";
    if (!bar.hidden) bar.querySelector(".count").textContent = words;
    if (told.textContent !== words) told.textContent = words;
    root.setAttribute("aria-busy", waiting.length > 0);
  }

  function focus(id) {
    current = id;
    show();
    cells.get(id)?.focus();
  }

  // What is said

  function say(what, photos, choice) {
    number += 1;
    const said = { session, number, what, photos, choice: choice || "", selected: chosen() };
    waiting.push(said);
    post(said);
  }

  function post(said) {
    gallery.send(waiting);
    setTimeout(() => { if (waiting.includes(said) && root.isConnected) post(said); }, RESEND_MS);
  }

  function open(id) {
    say("open", [id]);
    show();
    comeBack();
  }

  // When the dialog is gone in which a photo was opened, the photo has the focus again.
  function comeBack() {
    let looks = 0, seen = false;
    const timer = setInterval(() => {
      const there = document.querySelector("[role=dialog]") !== null;
      seen ||= there;
      looks += 1;
      if (there || (!seen && looks < PATIENCE)) return;
      clearInterval(timer);
      if (seen && document.activeElement === document.body) cells.get(current)?.focus({ preventScroll: true });
    }, LOOK_MS);
  }

  function decide(action) {
    const choice = bar.querySelector(`select[data-action="${action.name}"]`);
    if (choice && !choice.value) {
      selected.add(current);
      show();
      choice.focus();
      return;
    }
    const photos = selected.size ? chosen() : [current];
    const next = near(order.indexOf(photos[photos.length - 1]) + 1), focused = root.getRootNode().activeElement;
    selected.clear();
    current = anchor = next;
    say(action.name, photos, choice && choice.value);
    show();
    if (focused) cells.get(current)?.focus();
  }

  // What is done with pointer and keys

  function select(ids, alone) {
    if (alone) selected.clear();
    ids.forEach((id) => selected.add(id));
  }

  function upTo(id) {
    const [from, to] = [order.indexOf(anchor), order.indexOf(id)].sort((a, b) => a - b);
    select(order.slice(Math.max(0, from), to + 1), true);
  }

  function toggle(id) {
    if (!selected.delete(id)) selected.add(id);
    anchor = id;
  }

  function click(event) {
    const id = event.target.closest(".cell")?.dataset.id;
    if (id === undefined) return;
    const selecting = data.actions.length > 0;
    if (selecting && event.shiftKey) upTo(id);
    else if (selecting && (event.ctrlKey || event.metaKey || event.target.closest(".tick"))) toggle(id);
    else if (data.opens) { anchor = id; open(id); }
    else if (selecting) toggle(id);
    focus(id);
  }

  function press(event) {
    const columns = getComputedStyle(grid).gridTemplateColumns.split(" ").length, here = order.indexOf(current);
    const to = {
      ArrowLeft: here - 1, ArrowRight: here + 1, Home: 0, End: order.length - 1,
      ArrowUp: here < columns ? here : here - columns,
      ArrowDown: here + columns < order.length ? here + columns : here,
    }[event.key];
    const action = data.actions.find((each) => each.key.toLowerCase() === event.key.toLowerCase());
    const held = event.ctrlKey || event.altKey || event.metaKey, selecting = data.actions.length > 0;
    if (to !== undefined && !held) {
      const id = near(to);
      if (selecting && event.shiftKey) upTo(id);
      else anchor = id;
      focus(id);
    } else if (event.key === "Enter" && !held) {
      if (data.opens) open(current);
    } else if (event.key === " " && !held) {
      if (!selecting) { if (data.opens) open(current); }
      else if (event.shiftKey) upTo(current);
      else toggle(current);
      show();
    } else if (selecting && event.key === "a" && (event.ctrlKey || event.metaKey)) {
      select(order, true);
      show();
    } else if (event.key === "Escape" && selected.size) {
      selected.clear();
      show();
    } else if (action && !held) {
      if (!event.repeat) decide(action);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  bar.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { selected.clear(); focus(current); }
    if (event.key === "Escape" || event.target.tagName === "SELECT") event.stopPropagation();  // letters choose there
  });
  grid.addEventListener("focusin", (event) => {
    const id = event.target.closest(".cell")?.dataset.id;
    if (id !== undefined && id !== current) { current = id; show(); }
  });
  grid.addEventListener("click", click);
  grid.addEventListener("keydown", press);

  gallery.update = (facts) => {
    const first = data === null;
    data = facts;
    const [whose, done] = data.done.split(" ");
    if (whose === session) waiting = waiting.filter((said) => said.number > Number(done));
    grid.setAttribute("role", data.actions.length ? "listbox" : "group");
    grid.setAttribute("aria-label", data.label);
    if (data.actions.length) grid.setAttribute("aria-multiselectable", "true");
    drawBar();
    drawPhotos(data.photos);
    if (first) {
      select(data.selected.filter((id) => cells.has(id)), true);
      if (cells.has(data.current)) anchor = current = data.current;
    }
    show();
  };
  return gallery;
}
