// The page's dialog: why a photo is skipped, and the help.

const HELP = [
  ["← Backspace u", "back: takes the last one back, to do it again"],
  ["s", "skip, with a reason"],
  ["?", "this help"],
  ["Esc", "close"],
];

function openDialog({ dialog }, title, ...children) {
  const close = keyButton("Close", "", () => dialog.close());
  dialog.replaceChildren(make("h2", {}, title), ...children, make("div", { class: "row" }, close));
  dialog.setAttribute("aria-label", title);
  dialog.showModal();
}

function chooseReason(page) {
  if (page.position === null || page.dialog.open) return;
  const pick = (reason) => {
    page.dialog.close();
    page.rate({ reason });
  };
  page.reasons = page.round.reasons.map((reason) => () => pick(reason));
  const id = `why-${page.view}`;
  const field = make("input", { type: "text", maxlength: 300, dir: "auto", id });
  const onsubmit = (event) => {
    event.preventDefault();
    if (field.value.trim()) pick(field.value.trim());
  };
  const form = make("form", { onsubmit },
    make("label", { for: id }, "Another reason"),
    make("div", { class: "row" }, field, make("button", {}, "Skip")));
  const offer = (reason, i) => keyButton(reason, String(i + 1), page.reasons[i]);
  const buttons = page.round.reasons.map(offer);
  openDialog(page, "Skip, because…", make("div", { class: "reasons" }, ...buttons), form);
}

function showHelp(page) {
  if (page.dialog.open) return;
  page.reasons = [];
  const tags = page.round && page.round.task === "tags";
  const scores = ["1 … 9 0", "the score; 0 is 10"];
  const answers = tags ? ["1 2 3 …", "the tag beside the key"] : scores;
  const shown = (keys) => keys.split(" ").map((key) => make("kbd", {}, key));
  const rows = [answers, ...HELP].map(([keys, what]) => [shown(keys), what]);
  openDialog(page, "Keys", definitions(rows));
}
