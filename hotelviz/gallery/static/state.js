// What a gallery knows. Every function of the other files takes this object as its first argument.

const ACTIONS = { keep: "kept", drop: "dropped", relabel: "relabelled", later: "for later" };

/** Make a gallery's state; the functions that build its elements add these to it. */
function makeState(root, content, model) {
  const table = new Table(content);
  const gallery = {
    root,
    table,
    small: true, // whether it grows with its photos
    live: Boolean(model),
    editable: !model || Boolean(table.decisions.where),
    classes: table.labels.slice(0, 9), // those that have a key
    // What is chosen, in which order; photos are known by their row in the table.
    selects: new Map(), // name of a column, or DECISION -> its control
    ranges: {}, // name of a column -> its limits
    extras: new Map(), // filters without a control; see chips.js
    sort: "", // a sign and the name of a column
    found: new Int32Array(),
    order: new Int32Array(),
    placeOf: new Int32Array(table.size).fill(-1), // row -> its place in the order
    sections: [], // the groups in the order: name, start, end
    closed: new Set(), // groups that are folded
    cursor: 0, // a place in the order
    // What acts are on; only `select` changes it.
    selected: new Set(), // rows
    anchor: null, // the row from which Shift selects
    selecting: false, // whether clicks select
    events: new EventTarget(), // "selection" and "shown", "cursor" and "photos"
    // How it is drawn.
    overlay: -1, // the map that is shown, if any
    opacity: 0.55,
    columns: 1,
    cardHeight: 1,
    inView: [], // rows in view of the grid, and those whose photos the map shows
    mapRows: [],
    lines: [], // of cards, or the heading of a group; each with its top and height
    folded: [], // the cards of each folded group, which are drawn for print
    cards: new Map(), // place in the order, or "h" and a group -> element
  };
  const arrived = () => {
    refresh(gallery);
    gallery.events.dispatchEvent(new Event("photos"));
  };
  gallery.source = model ? new LiveSource(model, table, arrived) : pageSource(table);
  gallery.decisions = gallery.source.decisions;
  return gallery;
}

/** The name by which decisions know the photo at the cursor. */
function currentId({ table, order, cursor }) {
  return table.ids[order[cursor]];
}

function captionOf({ table, source }, row) {
  return table.captions?.[row] ?? source.photo(row)?.caption ?? table.ids[row];
}
