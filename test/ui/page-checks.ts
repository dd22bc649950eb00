/** Checks that run in a page, as texts, because tests are compiled without browser types. */

/**
 * Every visible text whose contrast to its background is below WCAG 2.2, 1.4.3 (AA): `3.91 text on background: …`.
 * Computed from the styles that apply, placeholders and texts of drawings included.
 */
export const CONTRAST = `(() => {
  const rgba = (colour) => {
    const [red, green, blue, alpha = 1] = colour.match(/[\\d.]+/g).map(Number)
    return { channels: [red, green, blue], alpha }
  }
  const luminance = (channels) => {
    const [red, green, blue] = channels.map((channel) => channel / 255)
      .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
  }
  const ratioOf = (front, back) => {
    const [light, dark] = [luminance(front), luminance(back)].sort((a, b) => b - a)
    return (light + 0.05) / (dark + 0.05)
  }
  const behind = (element) => {
    const shape = element.closest('g')?.querySelector(':scope > rect')
    if (shape) return rgba(getComputedStyle(shape).fill).channels
    for (let at = element; at !== null; at = at.parentElement) {
      const { channels, alpha } = rgba(getComputedStyle(at).backgroundColor)
      if (alpha === 1) return channels
    }
    return [255, 255, 255]
  }
  const faults = []
  const check = (text, element, style) => {
    if (!element.checkVisibility()) return
    const colour = element instanceof SVGElement ? style.fill : style.color
    const back = behind(element)
    const size = parseFloat(style.fontSize)
    const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700)
    const ratio = ratioOf(rgba(colour).channels, back)
    if (ratio < (isLarge ? 3 : 4.5)) faults.push(ratio.toFixed(2) + ' ' + colour + ' on ' + back + ': ' + text.trim().slice(0, 40))
  }
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  while (texts.nextNode()) {
    const { data, parentElement } = texts.currentNode
    if (data.trim() !== '') check(data, parentElement, getComputedStyle(parentElement))
  }
  for (const input of document.querySelectorAll('input')) check(input.placeholder, input, getComputedStyle(input, '::placeholder'))
  return faults
})()`

/** The visible controls, which must be reachable with the keyboard. */
export const CONTROLS = `[...document.querySelectorAll('a[href], button, input, select, summary, [tabindex="0"]')]
  .filter((element) => element.checkVisibility()).length`

/** Numbers the focused element. Returns the number; -1: none; -2: its focus is not visible. */
export const FOCUSED = `(() => {
  const element = document.activeElement
  if (element === null || element === document.body) return -1
  globalThis.stops ??= new Map()
  if (!globalThis.stops.has(element)) globalThis.stops.set(element, globalThis.stops.size)
  const shape = element.querySelector('rect, .reach') ?? element
  const style = getComputedStyle(element)
  const isSeen = (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2) ||
    (element instanceof SVGElement && getComputedStyle(shape).stroke !== 'none' && parseFloat(getComputedStyle(shape).strokeWidth) >= 2)
  return isSeen ? globalThis.stops.get(element) : -2
})()`
