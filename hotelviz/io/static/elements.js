// Elements of pages: shared by the gallery and the labelling page.

/** Make an element; text is always set as text, never as markup: it comes from people and data. */
function make(tag, attributes = {}, ...children) {
  const svg = ["svg", "rect", "line"].includes(tag) && "http://www.w3.org/2000/svg";
  const element = svg ? document.createElementNS(svg, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child != null));
  return element;
}

/** Make a button that submits no form. */
function button(attributes, ...children) {
  return make("button", { type: "button", ...attributes }, ...children);
}

/** Make a list of terms and what each means; a term is text, or a list of elements. */
function definitions(pairs) {
  const parts = ([term, meaning]) => [make("dt", {}, ...[term].flat()), make("dd", {}, meaning)];
  return make("dl", {}, ...pairs.flatMap(parts));
}
