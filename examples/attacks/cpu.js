// Uses CPU in short steps, without end. Verdict: cpu_limit, exit status 124.
export default async () => {
  for (;;) {
    for (let i = 0; i < 2e7; i++);
    await agent('and again');
  }
};
