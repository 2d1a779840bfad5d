// A provider that needs no network: right, wrong, late, or broken, by the question.
module.exports = class {
  constructor(options) {
    this.label = options.label;
    this.skill = options.config.skill;
  }
  id() {
    return `toy:${this.skill}`;
  }
  async callApi(prompt, context) {
    const number = Number(context.vars.number);
    if (number === 6) return { error: 'the service is down' };
    const right = (number * 7) % 10 < this.skill;
    const word = right ? context.vars.word : 'nothing';
    return {
      output: number === 7 ? { word } : `The answer is ${word}`,
      tokenUsage: { total: 30, prompt: 20, completion: 10, cached: number === 5 ? 12 : 0 },
      cost: 0.001 * number,
    };
  }
};
