import cluster from 'node:cluster';

// Loaded before a server with workers: from SIGUSR2 on no process can be started, as on a machine that has no room for one; SIGUSR2 again ends that.
let isFull = false;
process.on('SIGUSR2', () => {
  isFull = !isFull;
  cluster.setupPrimary({ cwd: isFull ? '/nowhere/at/all' : process.cwd() });
});
