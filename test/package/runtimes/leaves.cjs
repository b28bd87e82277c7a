// Loaded by require(): ends while a child of its runs, which lives on.
const { clone } = require('nsclone');

clone('sleep', ['5'], { stdio: 'ignore' }).then(
  (child) => {
    console.log(child.pid);
    process.exit(4);
  },
  (error) => {
    console.log(error.message);
    process.exit(1);
  },
);
