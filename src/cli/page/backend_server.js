// The program that served this page answers: requests to itself and a stream of events.
import {answerOf, infoOf, samplePixels} from './pixels.js';

export async function makeBackend() {
  const facts = await request('api/info');
  return {
    info: async () => infoOf(facts),
    predict: async (pixels) => answerOf(await request('api/predict', {
      method: 'POST',
      headers: {'Content-Type': 'application/octet-stream'},
      body: Uint8Array.from(pixels, (v) => Math.round(255 * v)),
    })),
    subscribe: facts.training ? subscribe : null,
  };
}

async function request(path, options = {}) {
  let response;
  try {
    response = await fetch(path, {cache: 'no-store', ...options});
  } catch {
    throw new Error('The program does not answer. Is it still running?');
  }
  if (response.status === 429) {  // asked too often: wait as long as it says
    await new Promise((done) => setTimeout(done, 1000 * Number(response.headers.get('Retry-After') ?? 1)));
    return request(path, options);
  }
  if (!response.ok) throw new Error((await response.text()).trim());
  return response.json();
}

function subscribe(listener) {
  const events = new EventSource('api/events');
  events.onmessage = ({data}) => {
    const part = JSON.parse(data);
    if (part.samples) part.samples.list = part.samples.list.map(samplePixels);
    listener(part);
  };
  events.onerror = () => listener({phase: 'lost'});  // the browser tries again by itself, and all comes anew
}
