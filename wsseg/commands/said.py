"""Notes about images, each printed once with the images that it is about."""

import sys
from dataclasses import dataclass, field

NAMED = 3
"""Number of images that a note names."""


@dataclass
class Said:
    """What is to be said about images, each once: text -> the images that it is about, as keys, in their order."""

    images: dict[str, dict[str, None]] = field(default_factory=dict)

    def add(self, image: str, *texts: str) -> None:
        """Note texts about an image."""
        for text in texts:
            self.images.setdefault(text, {})[image] = None

    def tell(self) -> None:
        """Print a line for each text, to stderr; of many images, the first ones are named."""
        for text, about in self.images.items():
            images = list(about)
            more = f" and {len(images) - NAMED} more" if len(images) > NAMED else ""
            print(f"note: {', '.join(images[:NAMED])}{more}: {text}", file=sys.stderr)
