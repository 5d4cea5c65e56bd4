// What a gallery knows. Every function of the other files takes this object as its first argument.

const ACTIONS = { keep: "kept", drop: "dropped", relabel: "relabelled" };

/** Make a gallery's state; the functions that build its elements add these to it. */
function makeState(root, content, model) {
  const table = new Table(content);
  const gallery = {
    root,
    table,
    small: table.size <= SMALL,
    live: Boolean(model),
    editable: !model || Boolean(table.decisions.where),
    classes: table.labels.slice(0, 9), // those that have a key
    // What is chosen, in which order; photos are known by their row in the table.
    selects: new Map(), // name of a column, or DECISION -> its control
    ranges: {}, // name of a column -> its limits
    sort: "", // a sign and the name of a column
    found: new Int32Array(),
    order: new Int32Array(),
    closed: new Set(), // groups that are folded
    cursor: 0, // a place in the order
    // How it is drawn.
    overlay: Boolean(table.maps_size),
    opacity: 0.55,
    columns: 1,
    cardHeight: 1,
    lines: [], // of cards, or the heading of a group; each with its top and height
    folded: [], // the cards of each folded group, which are drawn for print
    cards: new Map(), // place in the order, or "h" and a group -> element
  };
  gallery.source = model ? new LiveSource(model, table, () => refresh(gallery)) : pageSource(table);
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
