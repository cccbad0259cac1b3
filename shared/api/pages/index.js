// Shows this installation's own address in the examples, and lets them be copied.
"use strict";

for (const place of document.querySelectorAll(".origin")) {
  place.textContent = location.origin;
}

for (const block of document.querySelectorAll(".examples pre")) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(block.querySelector("code").textContent);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
  // Browsers offer the clipboard only where nobody can listen.
  if (navigator.clipboard) block.append(button);
}
