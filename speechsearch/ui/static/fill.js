// A text with the values of its {names}; every script sees it, and what it says as `texts`.
const fill = (words, values) => words.replace(/\{(\w+)\}/g, (_, name) => values[name]);
// A time as a clock says it; every script sees it, too.
const clock = (seconds) => {
  const whole = Math.floor(seconds);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, String(whole % 60).padStart(2, "0")];
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
};
