// Every pair of text and background, border and background, of the page as it is drawn (V-1).
// Answers a list of what is too faint: {what, text, ratio, least}.
() => {
  const found = [];
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  function rgba(text) {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = text;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return { r, g, b, a: a / 255 };
  }
  function over(top, below) {
    const mix = (name) => top[name] * top.a + below[name] * (1 - top.a);
    return { r: mix("r"), g: mix("g"), b: mix("b"), a: 1 };
  }
  function background(element) {
    const layers = [];
    for (let at = element; at; at = at.parentElement) {
      const colour = rgba(getComputedStyle(at).backgroundColor);
      if (colour.a) layers.push(colour);
      if (colour.a === 1) break;
    }
    return layers.reverse().reduce((below, top) => over(top, below), { r: 255, g: 255, b: 255, a: 1 });
  }
  function luminance({ r, g, b }) {
    const part = (value) => {
      const share = value / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    };
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  }
  function ratio(one, other) {
    const [light, dark] = [luminance(one), luminance(other)].sort((a, b) => b - a);
    return (light + 0.05) / (dark + 0.05);
  }
  function check(what, element, colour, behind, least) {
    const value = ratio(over(rgba(colour), behind), behind);
    if (value < least) found.push({ what, text: element.outerHTML.slice(0, 120), ratio: value, least });
  }
  let pairs = 0;
  for (const element of document.body.querySelectorAll("*")) {
    const style = getComputedStyle(element);
    if (!element.getClientRects().length || style.visibility === "hidden") continue;
    if (element.closest(".vh, .pular")) continue;
    const behind = background(element);
    const own = Array.from(element.childNodes).some((node) => node.nodeType === 3 && node.textContent.trim());
    if (own || element.matches("input:not([type=checkbox]):not([type=radio]), select, textarea")) {
      const size = parseFloat(style.fontSize);
      const isLarge = size >= 24 || (size >= 18.66 && parseInt(style.fontWeight, 10) >= 700);
      check("text", element, style.color, behind, isLarge ? 3 : 4.5);
      pairs += 1;
    }
    if (element.tagName === "svg") check("icon", element, style.color, behind, 3);
    if (element.matches("input:not([type=checkbox]):not([type=radio]):not(.calendario-nativo), select, textarea")) {
      check("border", element, style.borderTopColor, background(element.parentElement), 3);
    }
    if (element.matches("a[href], button:not([disabled]), input, select, textarea, summary")) {
      element.focus({ focusVisible: true });
      const focused = getComputedStyle(element);
      if (element === document.activeElement && focused.outlineStyle === "none") {
        found.push({ what: "no focus ring", text: element.outerHTML.slice(0, 120), ratio: 0, least: 3 });
      } else if (element === document.activeElement) {
        check("focus", element, focused.outlineColor, background(element.parentElement), 3);
      }
    }
  }
  if (pairs < 20) found.push({ what: "nothing was looked at", text: "", ratio: pairs, least: 20 });
  return found;
}
