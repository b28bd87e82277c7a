// With --require: an event loop that is late at random, as on a machine that has much to do. Most holds are short, a few long.
const longest = [
  [0.05, 60],
  [0.3, 15],
];

setInterval(() => {
  const chance = Math.random();
  const milliseconds = Math.random() * (longest.find(([share]) => chance < share)?.[1] ?? 0);
  for (const end = performance.now() + milliseconds; performance.now() < end;);
}, 3).unref();
