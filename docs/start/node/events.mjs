// Publishes events with keys and ids, joins a group, reads them, commits. Setup: see ../node.md.
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import grpc from '@grpc/grpc-js';
import loader from '@grpc/proto-loader';

const COUNT = 10;
const topic = process.argv[2] ?? 'orders';
// int64 as strings: a number of JavaScript has 53 bits.
const { acta: { v1: acta } } = grpc.loadPackageDefinition(loader.loadSync(
  ['topics', 'publisher', 'subscriber'].map((noun) => `acta/v1/${noun}.proto`),
  { includeDirs: [fileURLToPath(new URL('../../../proto', import.meta.url))],
    keepCase: true, longs: String, enums: String, defaults: true }));
// A connection that breaks without a word is noticed: the broker is asked every 30 s.
const connect = (Service) => new Service(process.env.ACTA_SERVER ?? '127.0.0.1:7450',
  grpc.credentials.createInsecure(),
  { 'grpc.keepalive_time_ms': 30_000, 'grpc.keepalive_timeout_ms': 10_000 });
const call = (client, method, request) =>
  promisify(client[method].bind(client))(request, { deadline: Date.now() + 30_000 });

await call(connect(acta.Topics), 'CreateTopic', { topic: { name: topic } }).catch((error) => {
  if (error.code !== grpc.status.ALREADY_EXISTS) throw error;
});

// The broker splits the batch by key; an event whose id it has seen is stored once.
const events = Array.from({ length: COUNT }, (_, n) => ({ id: `order-${n}`,
  key: Buffer.from(`customer-${n % 3}`), type: 'OrderPlaced', source: '/docs/start',
  data: Buffer.from(`{"number": ${n}}`), content_type: 'application/json' }));
const { results: [{ batches: [{ parts, duplicates }] }] } =
  await call(connect(acta.Publisher), 'Publish', { batches: [{ topic, events }] });
console.log(`published ${parts.reduce((sum, part) => sum + part.count, 0)}, ` +
  `duplicates ${duplicates.length}`);

// A member says who it is, then commits what it has done; control frames are numbered.
const stream = connect(acta.Subscriber).Subscribe();
let frameId = 0;
const say = (control) => stream.write({ frame_id: ++frameId, ...control });
say({ start: { group: 'node', mode: 'GROUP_MODE_STREAM', create_at: { earliest: true },
  topics: [{ topic }] } });
const ticks = setInterval(() => say({ tick: {} }), 5000); // Who is silent for 15 s is out.

const partitions = new Map();
let [received, committed] = [0, 0];
for await (const delivery of stream) {
  for (const a of delivery.assigned) partitions.set(a.assignment, a.partition);
  for (const { assignment, base_offset: base, events: delivered } of delivery.batches) {
    let next = BigInt(base);
    for (const { key, id, data } of delivered) {
      console.log(`${partitions.get(assignment)}/${next++} ${key} ${id} ${data}`);
    }
    received += delivered.length;
    say({ commit: { assignment, offset: `${next}` } });
    committed = frameId;
  }
  if (received >= COUNT && Number(delivery.acked_through) >= committed) {
    clearInterval(ticks);
    stream.end(); // The broker finishes what is outstanding and ends.
  }
}
console.log(`read and committed ${received}`);
