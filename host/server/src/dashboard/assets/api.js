// Requests to the host, with the session's cookie and its token.

/** An answer that is not a 2xx, or no answer (status 0). */
export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

function token() {
  const pair = document.cookie.split('; ').find((pair) => pair.startsWith('ringback_csrf='));
  return pair ? pair.slice('ringback_csrf='.length) : '';
}

/** Headers of a request; with an effect it carries the token. */
function headers(method, body) {
  const all = { accept: 'application/json' };
  if (method !== 'GET') all['x-csrf-token'] = token();
  if (body !== undefined) all['content-type'] = 'application/json';
  return all;
}

export async function ask(path, { method = 'GET', body } = {}) {
  let response;
  try {
    response = await fetch(path, {
      method,
      headers: headers(method, body),
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: 'same-origin',
    });
  } catch {
    throw new Refused(0, 'the host cannot be reached');
  }
  if (response.status === 401) {
    location.assign('/login');
    throw new Refused(401, 'signed out');
  }
  const text = await response.text();
  let json = null;
  try {
    json = JSON.parse(text);
  } catch {
    // Not every answer is JSON; an error then shows its status.
  }
  if (!response.ok) {
    const message = json?.error?.message ?? `the host answered ${response.status}`;
    throw new Refused(response.status, message);
  }
  return json;
}

/** The `data` of an own-API answer; null when there is no such thing. */
export async function get(path) {
  try {
    return (await ask(`/api/v1/${path}`)).data;
  } catch (error) {
    if (error.status === 404) return null;
    throw error;
  }
}

export const post = (path, body = {}) => ask(`/api/v1/${path}`, { method: 'POST', body });

/** A whole list, page by page, up to a limit of pages. */
export async function all(path, pages = 10) {
  const list = [];
  let cursor = null;
  for (let page = 0; page < pages; page += 1) {
    const more = cursor ? `${path.includes('?') ? '&' : '?'}cursor=${encodeURIComponent(cursor)}` : '';
    const answer = await ask(`/api/v1/${path}${more}`);
    list.push(...answer.data);
    cursor = answer.next_cursor;
    if (!cursor) break;
  }
  return list;
}
