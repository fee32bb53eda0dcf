// The pretend phone: a contact who calls and texts us through the simulator.

import { ask } from './api.js';
import { el, phone as readable } from './dom.js';
import { draw } from './thread.js';

const at = (id) => document.getElementById(id);
const SHAPE = /^\+[1-9]\d{7,14}$/;
const IDLE = 'Let it ring, then hang up: a missed call.';
const HINT = 'Answer as the contact would. STOP opts out, HELP asks who this is, START opts in again.';

/** Starts the phone. `changed(number)` hears of another contact. */
export function start(simulator, changed) {
  const number = at('phone-number');
  const ours = at('phone-ours');
  const dial = at('dial');
  let rings = null;

  at('phone').hidden = false;
  at('dial-state').textContent = IDLE;
  for (const { number: our, agent } of simulator.our_numbers) {
    ours.append(el('option', { value: our }, `${readable(our)} · ${agent}`));
  }
  hint(HINT);
  ask('/simulator/phone/endings')
    .then((endings) => at('phone-endings').append(...endings.flatMap(({ digits, does }) => [el('dt', {}, `…${digits}`), el('dd', {}, does)])))
    .catch(() => {});

  function hint(words, bad = false) {
    at('phone-hint').textContent = words;
    at('phone-hint').classList.toggle('bad', bad);
  }

  /** What the host made of it, when it did not like it. */
  function tell(answer) {
    if (answer.host?.ok !== false) return hint(HINT);
    const code = answer.host.status ? ` (${answer.host.status})` : '';
    return hint(`The host refused${code}: ${answer.host.message || 'no reason given'}`, true);
  }

  async function act(path, body) {
    try {
      tell(await ask(`/simulator/phone/${path}`, { method: 'POST', body }));
    } catch (error) {
      hint(error.message, true);
    }
    await refresh().catch(() => {});
  }

  function valid() {
    const fine = SHAPE.test(number.value);
    number.setAttribute('aria-invalid', String(!fine));
    if (!fine) hint('A number looks like +15125550142.', true);
    return fine && ours.value !== '';
  }

  function ring() {
    if (!valid()) return;
    const began = Date.now();
    at('dial-state').textContent = `Ringing ${readable(ours.value)}`;
    const count = () => { at('dial-count').textContent = ` · ${Math.floor((Date.now() - began) / 1000)} s`; };
    count();
    rings = setInterval(count, 1000);
    dial.dataset.state = 'ringing';
    at('dial-hang').focus();
  }

  async function end(ending) {
    clearInterval(rings);
    at('dial-count').textContent = '';
    dial.dataset.state = 'ended';
    at('dial-state').textContent = ending === 'answered' ? 'They talk…' : 'Ending…';
    await act('call', { from: number.value, to: ours.value, ending });
    dial.dataset.state = 'idle';
    at('dial-state').textContent = IDLE;
    at('dial-call').focus({ preventScroll: true });
  }

  at('dial-call').addEventListener('click', ring);
  at('dial-hang').addEventListener('click', () => end('no-answer'));
  at('dial-busy').addEventListener('click', () => end('busy'));
  at('dial-answer').addEventListener('click', () => end('answered'));

  const text = at('phone-text');
  const fit = () => { text.style.height = 'auto'; text.style.height = `${Math.min(text.scrollHeight + 2, 120)}px`; };
  text.addEventListener('input', fit);
  text.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      at('phone-write').requestSubmit();
    }
  });
  at('phone-write').addEventListener('submit', async (event) => {
    event.preventDefault();
    const body = text.value.trim();
    if (!body || !valid()) return;
    text.value = '';
    fit();
    const sent = act('text', { from: number.value, to: ours.value, body });
    await refresh().catch(() => {});
    await sent;
  });

  number.addEventListener('change', () => {
    number.value = number.value.replace(/[\s().-]/g, '');
    if (valid()) {
      hint(HINT);
      changed(number.value);
    }
  });

  async function refresh() {
    const whose = number.value;
    if (!SHAPE.test(whose)) return;
    const state = await ask(`/simulator/phone/state?phone=${encodeURIComponent(whose)}`);
    if (whose !== number.value) return;
    const texts = state.texts.map((text) => ({
      id: text.provider_id, mine: text.direction === 'out', body: text.body, media: text.media, status: text.status, at: text.at,
    }));
    const calls = state.calls.map((call) => ({ id: call.provider_id, call: call.state, said: call.said, at: call.at }));
    draw(at('phone-thread'), [...calls, ...texts], 'Press Call, let it ring, hang up. Then watch what comes.');
  }

  return {
    refresh,
    contact: () => number.value,
    become(contact) {
      number.value = contact;
      hint(HINT);
      number.removeAttribute('aria-invalid');
    },
  };
}
