/**
 * Server-sent events of a response. EventSource sends no headers, and so no API key.
 */

/**
 * The data of each event, parsed as JSON.
 * @param {Response} response
 * @returns {AsyncGenerator<any>}
 */
export async function* eventsOf(response) {
  if (response.body === null) return;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const parts = (text + value).split('\n\n');
    text = parts.pop() ?? '';
    for (const part of parts) {
      const data = part.split('\n').flatMap((line) => (line.startsWith('data:') ? [line.slice(5)] : []));
      if (data.length > 0) yield JSON.parse(data.join('\n'));
    }
  }
}
