// Where the answers come from: the server of `minifcn explore`, one question a function.

import { unpack, unpackTerms } from "./numbers.js";

export class ServerSource {
  can = { backward: true, influence: true, change: true };

  constructor(run) {
    this.run = run;
  }

  async ask(path, query = {}, body = undefined) {
    const address = `api/${path}?${new URLSearchParams({ run: this.run, ...query })}`;
    const answer = await fetch(address, body === undefined ? {} : { method: "POST", body }).catch(() => {
      throw new Error("minifcn explore has ended: start it again, and open its new address");
    });
    const content = await answer.json();
    if (!answer.ok) throw new Error(content.error);
    return content;
  }

  overview() {
    return this.ask("overview");
  }

  async map(key, channel) {
    return unpack(await this.ask("map", { key, channel }));
  }

  async channels(key) {
    const found = await this.ask("channels", { key });
    return found.channels.map((channel, i) => ({ channel, ...unpack(found.thumbs[i]) }));
  }

  async kernel(key, channel, input) {
    const found = await this.ask("kernel", { key, channel, input });
    const { data, shape } = unpack(found.values);
    return { first: found.first, second: found.second, values: data, columns: shape[1] };
  }

  async forward(place) {
    const found = await this.ask("forward", place);
    found.terms = unpackTerms(found.terms);
    for (const name of Object.keys(found.views ?? {})) found.views[name] = unpackTerms(found.views[name]);
    return found;
  }

  async influence(place) {
    return unpack(await this.ask("influence", place));
  }

  async gradient(key, channel, start) {
    return unpack(await this.ask("gradient", { key, channel, start }));
  }

  async gradientThumbs(start) {
    return (await this.ask("gradients", { start })).steps;
  }

  async backward(place, start) {
    const found = await this.ask("backward", { ...place, start });
    return { ...found, terms: unpackTerms(found.terms) };
  }

  async weight(key, index, start) {
    const found = await this.ask("weight", { key, index: index.join(","), start });
    return { ...found, terms: unpackTerms(found.terms) };
  }

  picture(blob) {
    return this.ask("picture", {}, blob);
  }

  change(changes) {
    return this.ask("changes", {}, JSON.stringify(changes));
  }
}
