/** The page's address for a phone, as a QR code. */
import { renderSVG } from "uqr";

/** Shows the code where the server can be reached from outside. */
export async function shareAddress(place: HTMLDetailsElement): Promise<void> {
  const addresses = (await (await fetch("addresses.json")).json()) as readonly string[];
  const address = addresses.find((each) => !/\/\/(127\.|localhost|\[::1\])/.test(each));
  if (address === undefined) return;
  place.hidden = false;
  place.querySelector("#qr")!.innerHTML = renderSVG(address, { border: 2 });
  place.querySelector("#address")!.textContent = address;
}
