// The feed, as it happens. Read with fetch and not with EventSource: that one
// hands over only events whose names are known beforehand, and hides a 401.

const PAUSES = [500, 1000, 2000, 5000, 10000];

/** Calls `heard(entry)` for each entry and `state(word)` when the line changes. */
export async function follow(heard, state) {
  let last = '';
  let failures = 0;
  for (;;) {
    try {
      const headers = { accept: 'text/event-stream' };
      if (last) headers['last-event-id'] = last;
      const response = await fetch('/api/v1/events/stream', { headers, credentials: 'same-origin', cache: 'no-store' });
      if (response.status === 401) {
        location.assign('/login');
        return;
      }
      if (!response.ok || !response.body) throw new Error(String(response.status));
      failures = 0;
      state('connected');
      for await (const event of events(response.body)) {
        last = event.id || last;
        if (event.data) heard(parse(event.data));
      }
    } catch {
      // A line that broke: the next round opens it again.
    }
    state('reconnecting');
    await new Promise((done) => setTimeout(done, PAUSES[Math.min(failures, PAUSES.length - 1)]));
    failures += 1;
  }
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}

/** Reads server-sent events (WHATWG HTML, 9.2.6) from a stream of bytes. */
async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  let event = { id: '', data: '' };
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (rest + value).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop();
    for (const line of lines) {
      if (line === '') {
        if (event.data || event.id) yield event;
        event = { id: '', data: '' };
        continue;
      }
      const colon = line.indexOf(':');
      const field = colon < 0 ? line : line.slice(0, colon);
      const text = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
      if (field === 'data') event.data += (event.data ? '\n' : '') + text;
      if (field === 'id') event.id = text;
    }
  }
}
