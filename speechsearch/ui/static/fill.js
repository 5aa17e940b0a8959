// A text with the values of its {names}; every script sees it, and what it says as `texts`.
const fill = (words, values) => words.replace(/\{(\w+)\}/g, (_, name) => values[name]);
