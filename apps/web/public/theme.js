// A theme the visitor chose overrides the system's; src/shell/theme.ts writes the same key.
const chosen = localStorage.getItem('oneround:theme');
if (chosen === 'light' || chosen === 'dark') document.documentElement.dataset.theme = chosen;
