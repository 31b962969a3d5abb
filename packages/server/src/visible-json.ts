/**
 * JSON text in which no character acts on what shows it: those that JSON leaves as they are although they move a terminal's cursor (C1 controls), turn the order of what follows (bidirectional
 * overrides) or cannot be seen at all are written as escapes. It reads back as the same value. What strangers send, such as a client_id, stands in logs and lists.
 */
export function visibleJson(json: string): string {
  return json.replaceAll(/[\p{Cf}\u007f-\u009f\u2028\u2029]/gu, escaped);
}

function escaped(character: string): string {
  return character
    .split('')
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('');
}
