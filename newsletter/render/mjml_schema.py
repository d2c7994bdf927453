"""What MJML 4.18 allows: which element in which, with which attributes. Data, no I/O.

Taken from the npm package mjml-preset-core 4.18.0, whose licence follows.

The MIT License (MIT)

Copyright (c) 2016 Mailjet SAS, https://mjml.io

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.
"""

from __future__ import annotations

_CHILDREN = {
    "mj-accordion": "mj-accordion-element mj-raw",
    "mj-accordion-element": "mj-accordion-title mj-accordion-text mj-raw",
    "mj-accordion-text": "",
    "mj-accordion-title": "",
    "mj-body": "mj-raw mj-section mj-wrapper mj-hero",
    "mj-button": "",
    "mj-carousel": "mj-carousel-image",
    "mj-carousel-image": "",
    "mj-column": """
        mj-accordion mj-button mj-carousel mj-divider mj-image mj-raw mj-social mj-spacer
        mj-table mj-text mj-navbar
    """,
    "mj-divider": "",
    "mj-group": "mj-column mj-raw",
    "mj-head": """
        mj-attributes mj-breakpoint mj-html-attributes mj-font mj-preview mj-style mj-title
        mj-raw
    """,
    "mj-hero": """
        mj-accordion mj-button mj-carousel mj-divider mj-image mj-social mj-spacer mj-table
        mj-text mj-navbar mj-raw
    """,
    "mj-html-attribute": "",
    "mj-html-attributes": "mj-selector",
    "mj-image": "",
    "mj-navbar": "mj-navbar-link mj-raw",
    "mj-raw": "",
    "mj-section": "mj-column mj-group mj-raw",
    "mj-selector": "mj-html-attribute",
    "mj-social": "mj-social-element mj-raw",
    "mj-social-element": "",
    "mj-spacer": "",
    "mj-table": "",
    "mj-text": "",
    "mj-wrapper": "mj-hero mj-raw mj-section",
    "mjml": "mj-body mj-head mj-raw",
}
_ATTRIBUTES = {
    "mj-accordion": """
        border container-background-color font-family icon-align icon-height icon-position
        icon-unwrapped-alt icon-unwrapped-url icon-width icon-wrapped-alt icon-wrapped-url
        padding padding-bottom padding-left padding-right padding-top
    """,
    "mj-accordion-element": """
        background-color border font-family icon-align icon-height icon-position
        icon-unwrapped-alt icon-unwrapped-url icon-width icon-wrapped-alt icon-wrapped-url
    """,
    "mj-accordion-text": """
        background-color color font-family font-size font-weight letter-spacing line-height
        padding padding-bottom padding-left padding-right padding-top
    """,
    "mj-accordion-title": """
        background-color color font-family font-size font-weight padding padding-bottom
        padding-left padding-right padding-top
    """,
    "mj-attributes": "",
    "mj-body": "background-color width",
    "mj-breakpoint": "width",
    "mj-button": """
        align background-color border border-bottom border-left border-radius border-right
        border-top color container-background-color font-family font-size font-style font-weight
        height href inner-padding letter-spacing line-height name padding padding-bottom
        padding-left padding-right padding-top rel target text-align text-decoration
        text-transform title vertical-align width
    """,
    "mj-carousel": """
        align border-radius container-background-color icon-width left-icon padding
        padding-bottom padding-left padding-right padding-top right-icon tb-border
        tb-border-radius tb-hover-border-color tb-selected-border-color tb-width thumbnails
    """,
    "mj-carousel-image": """
        alt border-radius href rel src target tb-border tb-border-radius thumbnails-src title
    """,
    "mj-column": """
        background-color border border-bottom border-left border-radius border-right border-top
        direction inner-background-color inner-border inner-border-bottom inner-border-left
        inner-border-radius inner-border-right inner-border-top padding padding-bottom
        padding-left padding-right padding-top vertical-align width
    """,
    "mj-divider": """
        align border-color border-style border-width container-background-color padding
        padding-bottom padding-left padding-right padding-top width
    """,
    "mj-font": "href name",
    "mj-group": "background-color direction vertical-align width",
    "mj-head": "",
    "mj-hero": """
        background-color background-height background-position background-url background-width
        border-radius container-background-color height inner-background-color inner-padding
        inner-padding-bottom inner-padding-left inner-padding-right inner-padding-top mode
        padding padding-bottom padding-left padding-right padding-top vertical-align
    """,
    "mj-html-attributes": "",
    "mj-image": """
        align alt border border-bottom border-left border-radius border-right border-top
        container-background-color fluid-on-mobile font-size height href max-height name padding
        padding-bottom padding-left padding-right padding-top rel sizes src srcset target title
        usemap width
    """,
    "mj-navbar": """
        align base-url hamburger ico-align ico-close ico-color ico-font-family ico-font-size
        ico-line-height ico-open ico-padding ico-padding-bottom ico-padding-left
        ico-padding-right ico-padding-top ico-text-decoration ico-text-transform padding
        padding-bottom padding-left padding-right padding-top
    """,
    "mj-navbar-link": """
        color font-family font-size font-style font-weight href letter-spacing line-height name
        padding padding-bottom padding-left padding-right padding-top rel target text-decoration
        text-transform
    """,
    "mj-preview": "",
    "mj-raw": "position",
    "mj-section": """
        background-color background-position background-position-x background-position-y
        background-repeat background-size background-url border border-bottom border-left
        border-radius border-right border-top direction full-width padding padding-bottom
        padding-left padding-right padding-top text-align text-padding
    """,
    "mj-social": """
        align border-radius color container-background-color font-family font-size font-style
        font-weight icon-height icon-padding icon-size inner-padding line-height mode padding
        padding-bottom padding-left padding-right padding-top table-layout text-decoration
        text-padding vertical-align
    """,
    "mj-social-element": """
        align alt background-color border-radius color font-family font-size font-style
        font-weight href icon-height icon-padding icon-position icon-size line-height name
        padding padding-bottom padding-left padding-right padding-top rel sizes src srcset
        target text-decoration text-padding title vertical-align
    """,
    "mj-spacer": """
        border border-bottom border-left border-right border-top container-background-color
        height padding padding-bottom padding-left padding-right padding-top
    """,
    "mj-style": "inline",
    "mj-table": """
        align border cellpadding cellspacing color container-background-color font-family
        font-size font-weight line-height padding padding-bottom padding-left padding-right
        padding-top role table-layout vertical-align width
    """,
    "mj-text": """
        align background-color color container-background-color font-family font-size font-style
        font-weight height letter-spacing line-height padding padding-bottom padding-left
        padding-right padding-top text-decoration text-transform vertical-align
    """,
    "mj-title": "",
    "mj-wrapper": """
        background-color background-position background-position-x background-position-y
        background-repeat background-size background-url border border-bottom border-left
        border-radius border-right border-top direction full-width gap padding padding-bottom
        padding-left padding-right padding-top text-align text-padding
    """,
}

CHILDREN = {name: frozenset(words.split()) for name, words in _CHILDREN.items()}
"""The elements that may stand in each element; mj-attributes takes any."""

ATTRIBUTES = {name: frozenset(words.split()) for name, words in _ATTRIBUTES.items()}
"""The attributes of each element, besides mj-class and css-class."""

HTML_INSIDE = frozenset(
    [
        "mj-accordion-text",
        "mj-accordion-title",
        "mj-breakpoint",
        "mj-button",
        "mj-carousel-image",
        "mj-navbar-link",
        "mj-preview",
        "mj-raw",
        "mj-social-element",
        "mj-style",
        "mj-table",
        "mj-text",
        "mj-title",
    ]
)
"""Elements that hold HTML or text, and no MJML."""
