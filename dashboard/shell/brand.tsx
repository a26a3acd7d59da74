/** The mark and the name of this project, which lead to the start page. */
export const Brand = () => (
  <a class="brand" href="#/">
    <svg class="mark" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <rect width="32" height="32" rx="7" />
      <circle cx="11" cy="16" r="5" />
      <path d="M16.5 16h4M22 7.5a10.5 10.5 0 0 1 0 17" />
    </svg>
    <span>ollama-edge-serve</span>
  </a>
);
