"""The colours of all pictures: Okabe and Ito's palette (2008), told apart with any colour vision, and greys."""

from typing import Final

BLUE: Final = "#0072B2"
SKY: Final = "#56B4E9"
VERMILION: Final = "#D55E00"
INK: Final = "#1F2933"
GREY: Final = "#7B8794"
LIGHT: Final = "#E4E7EB"
