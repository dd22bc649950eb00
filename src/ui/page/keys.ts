/** Whether a key belongs to a field that is being edited, or to an open dialog. */
export function isTyping({ target }: KeyboardEvent): boolean {
  return target instanceof Element && target.closest('input, select, textarea, dialog') !== null
}
