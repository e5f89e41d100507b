/** Two notes on the chosen loudspeaker, to hear whether it is the right one. */
export async function playTestTone(speaker: string): Promise<void> {
  const context = new AudioContext();
  if (speaker && 'setSinkId' in context) {
    await (context as AudioContext & { setSinkId: (id: string) => Promise<void> }).setSinkId(speaker);
  }
  const end = [523, 784].reduce((at, frequency) => {
    const tone = new OscillatorNode(context, { frequency });
    const gain = new GainNode(context, { gain: 0 });
    gain.gain.setTargetAtTime(0.2, at, 0.02);
    gain.gain.setTargetAtTime(0, at + 0.3, 0.06);
    tone.connect(gain).connect(context.destination);
    tone.start(at);
    tone.stop(at + 0.6);
    return at + 0.35;
  }, context.currentTime);
  await new Promise(resolve => setTimeout(resolve, (end - context.currentTime + 0.5) * 1000));
  await context.close();
}
