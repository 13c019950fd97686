// The answer to what was drawn: the digit, and a bar for each probability.

const SPEAK_AFTER = 700;  // ms without a change, so that a screen reader is not flooded
const SURE = 0.5;

export class AnswerView {
  constructor(root) {
    this.digit = root.querySelector('#digit');
    this.sure = root.querySelector('#sure');
    this.spoken = root.querySelector('#spoken');
    this.list = root.querySelector('#bars');
    this.rows = [];
    this.timer = 0;
  }

  setClasses(classes) {
    this.classes = classes;
    this.rows = classes.map((name) => {
      const row = document.createElement('li');
      row.innerHTML = '<span></span><span class="track"><span class="bar"></span></span><span class="value"></span>';
      row.firstChild.textContent = name;
      return {row, bar: row.querySelector('.bar'), value: row.querySelector('.value')};
    });
    this.list.replaceChildren(...this.rows.map(({row}) => row));
    this.clear();
  }

  clear() {
    clearTimeout(this.timer);
    this.digit.textContent = '?';
    this.digit.className = 'unsure';
    this.sure.textContent = 'nothing to read yet';
    for (const {row, bar, value} of this.rows) {
      row.className = '';
      bar.style.transform = 'scaleX(0)';
      value.textContent = '';
    }
  }

  show(probabilities) {
    const best = probabilities.indexOf(Math.max(...probabilities));
    this.rows.forEach(({row, bar, value}, i) => {
      row.className = i === best ? 'first' : '';
      bar.style.transform = `scaleX(${probabilities[i]})`;
      value.textContent = percent(probabilities[i]);
    });
    this.digit.textContent = this.classes[best];
    this.digit.className = probabilities[best] < SURE ? 'unsure' : '';
    this.sure.textContent = percent(probabilities[best]);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.spoken.textContent = `It reads ${this.classes[best]}, ${percent(probabilities[best])} sure.`;
    }, SPEAK_AFTER);
  }
}

/** Never 100 % for what is less. */
export function percent(share) {
  const value = Math.floor(1000 * share + 0.5) / 10;
  return `${(share < 1 && value >= 100 ? 99.9 : value).toFixed(1)} %`;
}
