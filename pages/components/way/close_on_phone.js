// On a phone the sidebar lies over the page, so it closes when somebody has chosen where to go.
const NARROW = "(max-width: 768px)";

export default function ({ parentElement }) {
  const host = parentElement.host ?? parentElement;
  const sidebar = host.closest("[data-testid=stSidebar]");
  const close = (event) => {
    if (event.target.closest("a") && matchMedia(NARROW).matches) {
      sidebar.querySelector("[data-testid=stSidebarCollapseButton] button")?.click();
    }
  };
  sidebar?.addEventListener("click", close);
  return () => sidebar?.removeEventListener("click", close);
}
