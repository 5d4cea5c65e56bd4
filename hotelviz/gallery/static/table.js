// The table that is shown: the payload of hotelviz.gallery, unpacked.

/** Bytes of a buffer: base64 in a page, a view of a message's buffer in JupyterLab. */
function bytes(buffer) {
  if (typeof buffer === "string") return Uint8Array.from(atob(buffer), (c) => c.charCodeAt(0));
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength).slice();
}

const floats = (buffer) => new Float32Array(bytes(buffer).buffer);
const number = (value) => value.toLocaleString("en");
const counted = (count, noun) => `${number(count)} ${noun}${count === 1 ? "" : "s"}`;

/** A name as people read it; what is written from the right would turn the figures around it. */
function words(name) {
  const text = String(name).replaceAll("_", " ");
  return /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/.test(text) ? `\u2068${text}\u2069` : text;
}

/** Columns by row: categories as codes, numbers as floats. */
class Table {
  constructor(content) {
    Object.assign(this, content);
    this.columns = content.columns.map((column) =>
      column.kind === "category"
        ? { ...column, codes: new Int32Array(bytes(column.codes).buffer) }
        : { ...column, data: floats(column.data) },
    );
    this.byName = new Map(this.columns.map((column) => [column.name, column]));
    this.shares = content.probabilities && floats(content.probabilities);
    const unpacked = (one) => ({ ...one, shares: floats(one.shares) });
    this.distributions = content.distributions.map(unpacked);
    this.maps = content.maps && content.maps.data && bytes(content.maps.data);
    this.mapped = content.mapped && bytes(content.mapped);
    this.ramp = content.ramp && bytes(content.ramp);
    this.positions = content.positions && floats(content.positions);
    this.neighbours = content.neighbours && new Int32Array(bytes(content.neighbours).buffer);
    this.concepts = content.concepts && {
      ...content.concepts, adds: floats(content.concepts.adds), places: floats(content.concepts.places),
    };
    this.rowOf = new Map(content.ids.map((id, row) => [id, row]));
  }

  text(name, row) {
    const column = this.byName.get(name);
    return column && column.codes[row] >= 0 ? column.values[column.codes[row]] : null;
  }

  /** Names and captions in lower case, made when they are searched for the first time. */
  searched() {
    this._searched ||= this.ids.map((id, row) =>
      (this.captions ? `${id}\n${this.captions[row]}` : id).toLowerCase(),
    );
    return this._searched;
  }

  /** A test of rows: is the text in the photo's name, its caption or one of its categories? */
  find(text) {
    const wanted = text.toLowerCase();
    const names = this.searched();
    const has = (value) => value.toLowerCase().includes(wanted);
    const lists = this.columns
      .filter((column) => column.kind === "category")
      .map(({ codes, values }) => ({
        codes,
        hits: values.map((value) => has(words(value)) || has(value)),
      }))
      .filter((list) => list.hits.includes(true));
    return (row) => names[row].includes(wanted) || lists.some((list) => list.hits[list.codes[row]]);
  }

  /** One of the maps of a photo, as bytes by row and column, if it has it; live it came with the photo. */
  map(row, photo, which) {
    const size = this.maps_size[0] * this.maps_size[1];
    const many = this.overlays.length;
    if (!this.mapped[row * many + which]) return null;
    const start = this.maps ? (row * many + which) * size : which * size;
    return (this.maps ?? photo.map)?.subarray(start, start + size);
  }
}
