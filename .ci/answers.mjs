// answers.mjs URL PID: waits until the server answers (whatever it answers), gives up when its process ends or takes too long.
const [url, pid] = process.argv.slice(2);
const deadline = Date.now() + 120_000;

const isAlive = () => {
  try {
    return process.kill(Number(pid), 0);
  } catch {
    return false;
  }
};

while (Date.now() < deadline && isAlive()) {
  const answer = await fetch(url, { signal: AbortSignal.timeout(5_000) }).catch(() => undefined);
  if (answer) {
    console.log(`${url} answers ${answer.status}`);
    process.exit(0);
  }
  await new Promise((resolve) => setTimeout(resolve, 250));
}
console.log(`${url} did not answer`);
process.exit(1);
