// A question that is asked in the moment before Gradio listens would be lost: when nothing has begun, ask it again.
document.addEventListener(
  "keydown",
  (event) => {
    const box = event.target.closest?.("#question textarea, #question input");
    if (!box || event.key !== "Enter" || event.shiftKey || !box.value.trim()) return;
    const column = () => document.querySelector("#left")?.innerHTML;
    const before = column();
    setTimeout(() => {
      if (column() !== before) return;
      box.dispatchEvent(new Event("input", { bubbles: true }));
      document.querySelector("#go")?.click();
    }, 1000);
  },
  true,
);
