// The load of one run for k6: each virtual user is a connection, with so many calls open at a time.
import grpc from 'k6/net/grpc';

const run = JSON.parse(open(__ENV.RUN));
const client = new grpc.Client();
client.load([run.protos], 'sweetspot/v1/workload.proto');

export const options = {
  scenarios: {
    load: {
      executor: 'per-vu-iterations',
      vus: run.connections,
      iterations: 1,
      maxDuration: `${run.duration_ms + run.timeout_ms}ms`,
    },
  },
};

export default async function () {
  client.connect(run.address, { plaintext: true });
  const until_ms = Date.now() + run.duration_ms;
  const parameters = { timeout: `${run.timeout_ms}ms` };
  const calls = async () => {
    while (Date.now() < until_ms) {
      await client.asyncInvoke(run.method, run.message, parameters);
    }
  };
  if (run.streams === 1) {
    while (Date.now() < until_ms) {
      client.invoke(run.method, run.message, parameters);
    }
  } else {
    await Promise.all(Array.from({ length: run.streams }, calls));
  }
  client.close();
}
