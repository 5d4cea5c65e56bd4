// What is on the page: the head, the photo, the answers, the tools.

/** Build the page's elements; they become its properties. */
function buildPage(page, el) {
  page.title = make(page.alone ? "h1" : "h3", {}, "Loading…");
  page.who = make("span", { class: "who" });
  page.saved = make("span", { class: "saved" });
  page.progress = make("progress", { max: 1, value: 0, "aria-label": "Rated photos" });
  page.count = make("span", { class: "count" });
  page.alarm = make("p", { class: "warning", role: "alert" });
  page.stage = make("div", { class: "stage" });
  page.note = make("p", { class: "note", role: "status" });
  page.choices = make("div", { class: "choices", role: "group", "aria-label": "Your answer" });
  page.ends = make("ul", { class: "ends", "aria-label": "What the scores mean" });
  page.back = keyButton("Back", "←", () => page.undo());
  const skip = keyButton("Skip", "s", () => chooseReason(page));
  const help = keyButton("Help", "?", () => showHelp(page));
  const tools = make("div", { class: "tools" }, page.back, skip, help);
  page.dialog = make("dialog", { class: "card", onclose: () => page.focus() });
  const facts = make("div", { class: "facts" }, page.progress, page.count, page.who, page.saved);
  page.foot = make("footer", {}, page.note, page.choices, page.ends, tools);
  page.foot.hidden = page.progress.hidden = true;
  page.root = make("section", {
    class: `hotelviz-label${page.alone ? " alone" : ""}`, tabindex: "-1",
    "data-lm-suppress-shortcuts": "true", "aria-label": "Labelling photos",
  }, make("header", {}, page.title, facts), page.alarm, page.stage, page.foot, page.dialog);
  el.append(page.root);
}

/** Make a button that shows its key. */
function keyButton(text, key, onclick, label = text) {
  const children = key ? [make("kbd", { "aria-hidden": "true" }, key), ` ${text}`] : [text];
  const shortcut = key === "←" ? "ArrowLeft" : key || null;
  return button({ onclick, "aria-label": label, "aria-keyshortcuts": shortcut }, ...children);
}

/** Show text and buttons where the photo stands. */
function showCard(page, ...children) {
  page.stage.replaceChildren(make("div", { class: "card" }, ...children));
}

/** Make the buttons of the answers: ten scores, or tags. */
function buildChoices(page) {
  const tags = page.round.task === "tags";
  const { anchors, rules } = page.round;
  const meanings = new Map(anchors.map(({ score, text }) => [score, `: ${text}`]));
  page.root.classList.toggle("tags", tags);
  page.choices.replaceChildren(...page.round.choices.map((choice) => {
    const { key, text, value } = choice;
    if (key) page.keys.set(key, choice);
    const answer = () => page.choose(choice);
    const label = tags ? undefined : `${text} of 10${meanings.get(value) ?? ""}`;
    const made = keyButton(tags ? text : "", key, answer, label);
    if (!tags) made.replaceChildren(text);
    made.dataset.value = value;
    return made;
  }));
  // A scale whose meaning nobody wrote down has its ends at least.
  const usual = [{ score: 1, text: "poor" }, { score: 10, text: "excellent" }];
  const said = tags ? rules : anchors.length ? anchors : usual;
  const items = said.map(({ score, tag, text }) =>
    make("li", {}, make("b", {}, score ?? tag), " ", make("bdi", {}, text)));
  if (!tags) items.push(make("li", {}, "The key ", make("kbd", {}, "0"), " is 10"));
  if (tags) page.ends.setAttribute("aria-label", "What counts as an area");
  page.ends.replaceChildren(...items);
  page.ends.hidden = !items.length;
}

/** Ask who is there, by name. */
function askName(page) {
  const { raters, free } = page.round;
  const field = make("input", {
    type: "text", required: true, maxlength: 60, autocomplete: "off", dir: "auto",
    id: `name-${page.view}`,
  });
  const enter = (name) => name.trim() && page.enter(name);
  const onsubmit = (event) => {
    event.preventDefault();
    enter(field.value);
  };
  const form = make("form", { onsubmit },
    make("label", { for: field.id }, "Your name"),
    make("div", { class: "row" }, field, make("button", { class: "main" }, "Start")));
  const known = raters.map((name) =>
    make("li", {}, button({ dir: "auto", onclick: () => enter(name) }, name)));
  const before = [make("p", {}, "Here before:"), make("ul", { class: "names" }, ...known)];
  const places = free
    ? `${free} ${free === 1 ? "place is" : "places are"} free. ` +
      "Whoever was here before goes on where they stopped."
    : "All places are taken; choose your name to go on.";
  page.warning = make("p", { class: "warning", role: "alert" });
  showCard(page, form, make("p", {}, places),
    ...(known.length ? before : []), page.warning);
  if (page.alone) field.focus();
}
