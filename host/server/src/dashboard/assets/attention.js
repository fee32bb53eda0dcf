// What waits for a person: texts of unknown outcome, connections whose settings
// and workflow files that do not work, and what could not be sent or read.

import { ask, post } from './api.js';
import { chip, el, keyed, nothing, phone, when } from './dom.js';

const at = (id) => document.getElementById(id);
const MOST = 1000;

const count = (number) => (number >= MOST ? `${MOST}+` : String(number));
const texts = (number) => (number === 1 ? '1 text' : `${count(number)} texts`);

export async function refresh() {
  const { data: open } = await ask('/api/v1/attention');
  const [review, unknown, twice, letters] = await Promise.all([
    open.needsReview ? ask('/api/v1/messages?status=needs_review&limit=50') : { data: [] },
    open.unknown ? ask('/api/v1/messages?status=unknown&limit=20') : { data: [] },
    open.twice ? ask('/api/v1/messages?status=twice&limit=20') : { data: [] },
    open.failed + open.webhooks ? ask('/api/v1/dead-letters?limit=50') : { data: [] },
  ]);
  mark(open);
  keyed(at('banners'), banners(open), (one) => one.name, banner);
  const undecided = [...review.data, ...unknown.data, ...twice.data];
  at('attention').hidden = undecided.length === 0;
  const unsure = (text) => ['needs_review', 'unknown'].includes(text.status);
  keyed(at('attention-list'), undecided, (text) => text.id, (text) => (unsure(text) ? question(text) : double(text)));
  const lost = open.failed + open.webhooks;
  at('letter-count').hidden = lost === 0;
  at('letter-count').textContent = count(lost);
  if (letters.data.length) keyed(at('letter-list'), letters.data, (letter) => letter.id, row);
  else at('letter-list').replaceChildren(nothing('Everything could be sent and read.'));
}

/** The count that is seen from anywhere on the page. */
function mark({ needsReview: number, unknown }) {
  const words = `${count(number)} ${number === 1 ? 'needs' : 'need'} a decision`;
  at('alert').hidden = number === 0;
  at('alert').textContent = words;
  at('attention-title').textContent = number ? `Needs a decision (${count(number)})` : unknown ? 'Being found out' : 'Arrived twice';
}

function banners(open) {
  const list = open.connections.map((one) => ({ ...one, held: open.held }));
  // After a restart nothing was tried yet.
  if (!list.length && open.held) list.push({ name: '', held: open.held });
  return [...list, ...open.workflows.map((one) => ({ ...one, name: `file ${one.file}` }))];
}

/** A workflow file with errors: what is in service all the same. */
function broken(one) {
  const kept = one.inService.join(', ');
  const so = !kept ? 'It is not in service.'
    : one.certain ? `${kept}, the version before, stays in service.`
      : `It may be the file of what stays in service until it is corrected or deleted: ${kept}.`;
  return el('div', { class: 'banner' },
    el('p', {}, `The workflow file ${one.file} has an error in line ${one.line}: ${one.problem.replace(/\.$/, '')}. ${so}`));
}

function banner(one) {
  if (one.file) return broken(one);
  const what = one.name
    ? `The settings of the connection ${one.name} do not work: ${one.problem.replace(/\.$/, '')}.`
    : 'The settings of a connection did not work.';
  const then = ` ${texts(one.held)} ${one.held === 1 ? 'is' : 'are'} held and will leave when they are corrected in ringback.toml.`;
  const retry = () => post('messages/retry', one.name ? { connection: one.name } : {});
  return el('div', { class: 'banner' }, el('p', {}, what, then), button('Try now', 'retry', retry));
}

/** A button that does one thing, and says what went wrong with it. */
function button(words, name, act, kind = 'quiet') {
  const node = el('button', { type: 'button', class: kind, data: { focus: name } }, words);
  node.addEventListener('click', async () => {
    const all = node.parentElement.closest('li, .banner')?.querySelectorAll('button') ?? [node];
    for (const each of all) each.disabled = true;
    try {
      await act();
      await refresh();
    } catch (error) {
      node.textContent = error.message;
    }
    for (const each of all) each.disabled = false;
  });
  return node;
}

const CHOICES = [
  ['sent', 'It was sent', 'It reached the contact, or the provider\u2019s page shows it. It counts as sent; if it was not, the contact never gets it.'],
  ['resend', 'Send it again', 'It did not arrive. If it did after all, the contact gets it twice.'],
  ['drop', 'Drop it', 'It did not arrive, and shall not. It is not sent again; if it arrived after all, the contact has it.'],
];

function question(text) {
  const choice = ([decision, words, means]) => el('div', { class: 'option' },
    button(words, decision, () => post(`messages/${text.id}/decide`, { decision })),
    el('span', { class: 'soft' }, means));
  const open = text.status === 'unknown';
  return el('li', { class: 'question' },
    el('p', { class: 'row' },
      el('strong', {}, phone(text.toNumber)), chip(text.status),
      el('span', { class: 'soft end' }, 'since ', when(text.unknownSince ?? text.updatedAt))),
    el('p', { class: 'about' }, el('span', { class: 'quote' }, text.body)),
    el('p', { class: 'about soft' },
      open ? 'The provider is being asked whether it has this text; that takes a moment. ' : 'Nobody could say whether the provider took this text. ',
      seen(text.attempts), `Tried ${tries(text.attempts)}through ${text.messagingConnectionId}.`),
    el('div', { class: 'options' }, ...CHOICES.map(choice)));
}

/** A text of which two attempts arrived, until somebody has seen it. */
function double(text) {
  return el('li', { class: 'question' },
    el('p', { class: 'row' },
      el('strong', {}, phone(text.toNumber)), chip('twice', 'warn'),
      el('span', { class: 'soft end' }, when(text.updatedAt))),
    el('p', { class: 'about' }, el('span', { class: 'quote' }, text.body)),
    el('p', { class: 'about soft' }, 'An attempt that nobody knew of arrived as well: the contact got this text twice.'),
    el('div', { class: 'options' }, button('Seen', 'seen', () => post(`dead-letters/${text.id}/drop`))));
}

/** What the host saw of the last attempt. */
function seen(attempts) {
  const problem = attempts?.at(-1)?.outcome?.problem?.text;
  return problem ? `What is known: ${problem.replace(/\.$/, '')}. ` : '';
}

const tries = (attempts) => (attempts?.length > 1 ? `${attempts.length} times ` : '');

function row(letter) {
  const text = letter.kind === 'text';
  const again = () => post(`dead-letters/${letter.id}/replay`);
  const drop = () => post(`dead-letters/${letter.id}/drop`);
  return el('li', { class: 'question' },
    el('p', { class: 'row' },
      el('strong', {}, text ? phone(letter.contact) : `A ${letter.body} webhook`), chip(text ? 'failed' : 'unreadable', 'bad'),
      el('span', { class: 'soft end' }, letter.connection, ' · ', when(letter.at))),
    text ? el('p', { class: 'about' }, el('span', { class: 'quote' }, letter.body)) : null,
    el('p', { class: 'about' }, letter.problem ?? letter.reason),
    el('p', { class: 'about soft' }, `${letter.advice.charAt(0).toUpperCase()}${letter.advice.slice(1)}.`),
    el('div', { class: 'options' },
      button(text ? 'Send again' : 'Read again', 'again', again), button('Drop', 'drop', drop)));
}
