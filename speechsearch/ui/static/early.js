// A question that is asked in the moment before Gradio listens would be lost: when nothing has begun, ask it again.
document.addEventListener(
  "keydown",
  (event) => {
    const box = event.target.closest?.("#question textarea, #question input");
    if (!box || event.key !== "Enter" || !box.value.trim()) return;
    const [place, button] = event.shiftKey ? ["#answer", "#ask-go"] : ["#left", "#go"];
    const shown = () => document.querySelector(place)?.innerHTML;
    const before = shown();
    setTimeout(() => {
      if (shown() !== before) return;
      box.dispatchEvent(new Event("input", { bubbles: true }));
      document.querySelector(button)?.click();
    }, 1000);
  },
  true,
);
