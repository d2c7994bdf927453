"""What a hostile theme may try: to get out, or to keep the machine busy for ever.

Each is a piece of a template. ``{file}`` in it is the template's own name.
"""

PICKLE = r"cos\nsystem\n(S'id > pwned'\ntR."
"""What ran a command when it was read as a pickle."""

# What reaches for more than plain data. ``issue`` is there in mails and pages, the organisation
# in all but style sheets, the theme everywhere.
ESCAPES = {
    "pickle by parse_raw": "{% set x = VALUE.parse_raw(\""
    + PICKLE + "\", proto='pickle', allow_pickle=True) %}",
    "file by parse_file": "{{ VALUE.parse_file('/etc/passwd') }}",
    "pydantic construct": "{{ VALUE.model_construct() }}",
    "pydantic validate": "{{ VALUE.model_validate_json('{}') }}",
    "pydantic copy": "{{ VALUE.model_copy(update={'name': 'x'}) }}",
    "pydantic dump": "{{ VALUE.model_dump_json() }}",
    "pydantic schema": "{{ VALUE.model_json_schema() }}",
    "pydantic fields": "{{ VALUE.model_fields }}",
    "pydantic extra": "{{ VALUE.model_extra }}",
    "pydantic old copy": "{{ VALUE.copy() }}",
    "pydantic old dict": "{{ VALUE.dict() }}",
    "pydantic old json": "{{ VALUE.json() }}",
    "pydantic from_orm": "{{ VALUE.from_orm(VALUE) }}",
    "pydantic update_forward_refs": "{{ VALUE.update_forward_refs() }}",
    "method by key": "{{ VALUE['parse_raw']('x') }}",
    "method by filter": "{{ VALUE|attr('parse_raw') }}",
    "method by map": "{{ [VALUE]|map(attribute='parse_raw')|list }}",
    "method by first": "{{ ([VALUE]|map(attribute='model_copy')|first)() }}",
    "method by sort": "{{ [VALUE, VALUE]|sort(attribute='model_fields')|length }}",
    "method by groupby": "{{ [VALUE]|groupby('copy')|first }}",
    "method by selectattr": "{{ [VALUE]|selectattr('parse_raw')|list|length > 0 }}"
    "{{ VALUE.parse_raw }}",
    "text of a value": "{{ VALUE }}",
    "text by join": "{{ [VALUE]|join }}",
    "text by tilde": "{{ VALUE ~ '' }}",
    "text by string": "{{ VALUE|string }}",
    "text by safe": "{{ VALUE|safe }}",
    "text by escape": "{{ VALUE|e }}",
    "text by pprint": "{{ VALUE|pprint }}",
    "text by tojson": "{{ VALUE|tojson }}",
    "text by xmlattr": "{{ {'a': VALUE}|xmlattr }}",
    "text by replace": "{{ VALUE|replace('a', 'b') }}",
    "text by format": "{{ '{}'.format(VALUE) }}",
    "text by percent": "{{ '%s' % VALUE }}",
    "loop over a value": "{% for each in VALUE %}{{ each }}{% endfor %}",
    "items of a value": "{{ VALUE|items|list }}",
    "class": "{{ VALUE.__class__ }}",
    "class by key": "{{ VALUE['__class__'] }}",
    "class by filter": "{{ VALUE|attr('__class__') }}",
    "class by map": "{{ [VALUE]|map(attribute='__class__')|first }}",
    "class of a text": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "class of a number": "{{ (1).__class__ }}",
    "class of a list": "{{ [].__class__.__base__ }}",
    "class of a dict": "{{ {}.__class__ }}",
    "class of nothing": "{{ none.__class__ }}",
    "class of what is undefined": "{{ nothing.__class__ }}",
    "format reads attributes": "{{ '{0.__class__}'.format('') }}",
    "format reads keys": "{{ '{0[a]}'.format({'a': 1}) }}",
    "format by map": "{{ '{a.__class__}'.format_map({'a': ''}) }}",
    "format of safe text": "{{ ('{0.__class__}'|safe).format('') }}",
    "format converts": "{{ '{0!r}'.format('') }}",
    "format filter": "{{ '%s'|format(VALUE) }}",
    "function's globals": "{{ range.__globals__ }}",
    "function's code": "{% macro m() %}{% endmacro %}{{ m.__call__.__func__.__code__ }}",
    "cycler": "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "joiner": "{{ joiner.__init__.__globals__ }}",
    "namespace": "{{ namespace.__init__.__globals__ }}",
    "inside of a namespace": "{{ namespace(a=1)._Namespace__attrs }}",
    "lipsum": "{{ lipsum.__globals__['os'].popen('id').read() }}",
    "dict": "{{ dict.__base__ }}",
    "self": "{% block b %}{{ self._TemplateReference__context.environment }}{% endblock %}",
    "self without underline": "{{ self.environment }}",
    "macro's inside": "{% macro m() %}{% endmacro %}{{ m._environment }}",
    "macro's function": "{% macro m() %}{% endmacro %}{{ m.arguments }}",
    "caller": "{% macro m() %}{{ caller._func }}{% endmacro %}{% call m() %}{% endcall %}",
    "loop's inside": "{% for a in [1] %}{{ loop._iterator }}{% endfor %}",
    "loop's undefined": "{% for a in [1] %}{{ loop._undefined.__class__ }}{% endfor %}",
    "block's inside": "{% block c %}{{ super.__call__ }}{% endblock %}",
    "generator's frame": "{{ ([1]|map('string')).gi_frame }}",
    "generator's code": "{{ ([1]|select).gi_code }}",
    "method's self": "{{ 'a'.upper.__self__ }}",
    "function of ours": "{{ w.__class__.__init__.__globals__ }}",
    "phrases' inside": "{{ w._phrases }}",
    "phrases by filter": "{{ w|attr('_file') }}",
    "encode": "{{ 'a'.encode() }}",
    "maketrans": "{{ 'a'.maketrans('a', 'b') }}",
    "safe text's escape": "{{ ('a'|safe).escape('b') }}",
    "safe text's unescape": "{{ ('a'|safe).unescape() }}",
    "list grows": "{% set l = [1] %}{{ l.append(2) }}",
    "dict changes": "{% set d = {'a': 1} %}{{ d.update({'b': 2}) }}",
    "do": "{% do [].append(1) %}",
    "debug": "{% debug %}",
    "translate": "{% trans %}a{% endtrans %}",
    "break": "{% for a in [1] %}{% break %}{% endfor %}",
    "escaping turned off": "{% autoescape false %}{{ '<' }}{% endautoescape %}",
    "file outside": "{% include '../../newsletter.toml' %}",
    "file by path": "{% include '/etc/passwd' %}",
    "file by import": "{% import '/etc/passwd' as x %}",
    "private import": "{% from '{file}' import _x %}",
    "chance": "{{ [1, 2]|random }}",
    "address of an object": "{{ [namespace()] }}",
    "address in a text": "{{ range|string }}",
    "complex number": "{{ (-1) ** 0.5 }}",
    "template that is a value": "{% extends VALUE %}",
    "import that is a value": "{% import VALUE as x %}",
    "what is no function": "{{ 'a'() }}",
}  # fmt: skip

_DEEP = 3000
BOMBS = {
    "text times a number": "{{ 'a' * 10**9 }}",
    "text times a number, twice": "{% set a = 'a' * 10**6 %}{{ a * 10**6 }}",
    "list times a number": "{{ ([0] * 10**9)|length }}",
    "tuple times a number": "{{ ((0,) * 10**9)|length }}",
    "power": "{{ 9 ** 9 ** 9 }}",
    "power of a variable": "{% set n = 9 %}{{ n ** n ** n }}",
    "power below nothing": "{{ 2 ** -(10 ** 9) }}",
    "products": "{% set n = namespace(x=9**70) %}{% for a in range(99) %}"
    "{% set n.x = n.x * n.x %}{% endfor %}",
    "long number": "{{ " + "9" * 5000 + " }}",
    "long hexadecimal number": "{{ 0x" + "f" * 50_000 + " * 2 }}",
    "number from a text": "{{ ('f' * 90000)|int(0, 16) }}",
    "range": "{{ range(10**9)|list }}",
    "range in a loop": "{% for a in range(10**9) %}{% endfor %}",
    "loops in loops": "{% for a in range(99999) %}{% for b in range(99999) %}"
    "{% endfor %}{% endfor %}",
    "loops in loops with a test": "{% for a in range(99999) %}"
    "{% for b in range(99999) if b < 0 %}{% endfor %}{% endfor %}",
    "loops with a test alone": "{% for a in range(99999) if range(99999)|list|last < 0 %}"
    "{% endfor %}",
    "loops that print": "{% for a in range(99999) %}" + "x" * 9999 + "{% endfor %}",
    "loops that do much": "{% for a in range(99999) %}" + "{% if a < 0 %}{% endif %}" * 2000
    + "{% endfor %}",
    "loops in macros": "{% macro m() %}{% for a in range(9999) %}{% endfor %}{% endmacro %}"
    "{% for a in range(9999) %}{{ m() }}{% endfor %}",
    "loops in blocks": "{% for a in range(9999) %}{% block b %}"
    "{% for c in range(9999) %}{% endfor %}{% endblock %}{% endfor %}",
    "loops in calls": "{% macro m() %}{% for a in range(9999) %}{{ caller() }}{% endfor %}"
    "{% endmacro %}{% call m() %}{% for b in range(9999) %}{% endfor %}{% endcall %}",
    "loop in itself": "{% for a in [1] recursive %}{{ loop([1, 1]) }}{% endfor %}",
    "macro in itself": "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "macro in itself, twice": "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}"
    "{% endmacro %}{{ m(60) }}",
    "arguments that double": "{% macro m(n) %}{% if n %}{{ m(n - 1, varargs, varargs) }}"
    "{% else %}{{ varargs == varargs|list }}{% endif %}{% endmacro %}{{ m(60, 1, 1) }}",
    "include of a long list": "{% set l = range(90000)|map('string')|list %}"
    "{% for i in range(90000) %}{% include l ignore missing %}{% endfor %}",
    "include of a long name": "{% include 'x' * 9999 ignore missing %}",
    "import of a long name": "{% import 'x' * 9999 as x %}",
    "many includes": "{% for i in range(99999) %}{% for j in range(99999) %}"
    "{% include 'nothing' ignore missing %}{% endfor %}{% endfor %}",
    "many names in many includes": "{% for i in [1] %}"
    + "".join(f"{{% set n{n} = 1 %}}" for n in range(800))
    + "{% include 'nothing' ignore missing %}" * 1200 + "{% endfor %}",
    "steps back": "{{ [(-999999, -99999, false)]|map('(pay)')|list }}",
    "long attribute": "{% set a = ('0.' * 3300) ~ '0' %}"
    "{{ ('a' * 3000)|map(attribute=a)|list|length }}",
    "long attribute of join": "{% set a = ('0.' * 3300) ~ '0' %}"
    "{{ ('a' * 3000)|join('', a)|length }}",
    "long attribute of sort": "{% set a = ('0.' * 3300) ~ '0' %}"
    "{{ ('a' * 3000)|sort(attribute=a)|length }}",
    "attributes of large texts": "{{ [{'a': 'x' * 900000}]|sort(attribute='"
    + "a," * 999 + "a')|length }}",
    "numbers of one hash": "{% for i in range(99999) %}"
    "{{ range(0, 30000 * (2**61 - 1), 2**61 - 1)|unique|list|length }}{% endfor %}",
    "large numbers of one hash": "{% for i in range(99999) %}"
    "{{ range(0, 30000 * (2**61 - 1), 2**61 - 1)|map('float')|unique|list|length }}{% endfor %}",
    "pairs of one hash": "{{ [(1, 2), (1, 2)]|unique|list }}",
    "keys of one hash": "{% set p = 2**61 - 1 %}{% set d = {"
    + ", ".join(f"{n} * p: 1" for n in range(900)) + "} %}",
    "keys that are large numbers": "{{ {1e300: 1}|length }}",
    "keys that are pairs": "{{ {(1, 2): 1}|length }}",
    "keys that are one large pair": "{% set t = (1,) * 99000 %}{{ {"
    + "t: 1, " * 900 + "}|length }}",
    "namespace of pairs": "{{ namespace([('a', 1)]).a }}",
    "lists in lists": "{% set n = namespace(x=[1]) %}{% for a in range(900) %}"
    "{% set n.x = [n.x] %}{% endfor %}",
    "many sorts": "{% set a = range(90000)|map('string')|list %}{% for i in range(99999) %}"
    "{{ a|sort|length }}{% endfor %}",
    "many sorts of characters": "{% set a = 'ab' * 49000 %}{% for i in range(99999) %}"
    "{{ a|sort|length }}{% endfor %}",
    "many large keys": "{% set a = 'x' * 900000 %}{% set b = 'x' * 899999 ~ 'x' %}"
    "{% set d = {a: 1} %}{% for i in range(99999) %}{% if d[b] %}{% endif %}{% endfor %}",
    "many long constants": "{% for i in range(99999) %}{% set x = '" + "k" * 90_000
    + "' ~ i %}{% endfor %}",
    "searches for a long constant": "{% for i in range(99999) %}{% if 'y' in '" + "k" * 90_000
    + "' %}{% endif %}{% endfor %}",
    "searches from behind": "{% set a = 'a' * 6300 %}{% set b = 'ab' ~ 'a' * 3150 %}"
    "{% for i in range(99999) %}{% if a.rfind(b) %}{% endif %}{% endfor %}",
    "many wide indents of nothing": "{% for i in range(99999) %}"
    "{% if ''|indent(19999999) %}{% endif %}{% endfor %}",
    "coarse round below the limit": "{{ 1|round(-19000000) }}",
    "languages that nobody knows": "{% for i in range(99999) %}"
    "{% if 'ru'|language_name('xx') %}{% endif %}{% endfor %}",
    "includes itself": "{% include '{file}' %}",
    "imports itself": "{% import '{file}' as x %}",
    "extends itself": "{% extends '{file}' %}",
    "block in itself": "{% block b %}{{ self.b() }}{% endblock %}",
    "doubling by tilde": "{% set n = namespace(x='x') %}{% for a in range(60) %}"
    "{% set n.x = n.x ~ n.x %}{% endfor %}",
    "doubling by plus": "{% set n = namespace(x='x') %}{% for a in range(60) %}"
    "{% set n.x = n.x + n.x %}{% endfor %}",
    "doubling by lists": "{% set n = namespace(x=[1]) %}{% for a in range(60) %}"
    "{% set n.x = n.x + n.x %}{% endfor %}",
    "doubling by nesting": "{% set n = namespace(x=[1]) %}{% for a in range(60) %}"
    "{% set n.x = [n.x, n.x] %}{% endfor %}{{ n.x|string }}",
    "doubling by dicts": "{% set n = namespace(x={}) %}{% for a in range(60) %}"
    "{% set n.x = {1: n.x, 2: n.x} %}{% endfor %}{{ n.x|string }}",
    "doubling by pairs": "{% set n = namespace(x=(1,)) %}{% for a in range(60) %}"
    "{% set n.x = (n.x, n.x) %}{% endfor %}{{ {n.x: 1}|length }}",
    "doubling by namespaces": "{% set n = namespace(x=1) %}{% for a in range(60) %}"
    "{% set n.x = namespace(a=n.x, b=n.x) %}{% endfor %}{{ n|string }}",
    "doubling by replace": "{% set n = namespace(x='x') %}{% for a in range(60) %}"
    "{% set n.x = n.x|replace('x', 'xx') %}{% endfor %}",
    "doubling by format": "{% set n = namespace(x='x') %}{% for a in range(60) %}"
    "{% set n.x = '{0}{0}'.format(n.x) %}{% endfor %}",
    "doubling by join": "{% set n = namespace(x='x') %}{% for a in range(60) %}"
    "{% set n.x = [n.x, n.x]|join %}{% endfor %}",
    "doubling by a block": "{% set n = namespace(x='x') %}{% for a in range(60) %}"
    "{% set y %}{{ n.x }}{{ n.x }}{% endset %}{% set n.x = y %}{% endfor %}",
    "doubling by escaping": "{% set n = namespace(x='&') %}{% for a in range(60) %}"
    "{% set n.x = n.x|forceescape|replace('a', '&&') %}{% endfor %}",
    "nesting without end": "{% set n = namespace(x=()) %}{% for a in range(99999) %}"
    "{% set n.x = (n.x,) %}{% endfor %}{{ {n.x: 1}|length }}",
    "many texts": "{% set n = namespace(x=[]) %}{% for a in range(99999) %}"
    "{% set n.x = n.x + ['x' * 999] %}{% endfor %}",
    "many large texts": "{% for a in range(99999) %}{% set x = 'x' * 999999 %}{% endfor %}",
    "many comparisons": "{% set a = 'x' * 999999 %}{% for b in range(99999) %}"
    "{% if a ~ 'y' == a ~ 'z' %}{% endif %}{% endfor %}",
    "many searches": "{% set a = 'x' * 999999 %}{% for b in range(99999) %}"
    "{% if 'y' in a %}{% endif %}{% endfor %}",
    "many slices": "{% set a = 'x' * 999999 %}{% for b in range(99999) %}"
    "{% set c = a[1:] %}{% endfor %}",
    "many tests": "{% set a = 'x' * 999999 %}{% for b in range(99999) %}"
    "{% if 'y' is in a %}{% endif %}{% endfor %}",
    "many replacements": "{% set a = 'x' * 999999 %}{% for b in range(99999) %}"
    "{% set c = a.replace('x', 'y') %}{% endfor %}",
    "wide format": "{{ '{:>999999999}'.format(1) }}",
    "wide percent": "{{ '%999999999d' % 1 }}",
    "wide percent by argument": "{{ '%*d' % (999999999, 1) }}",
    "wide format filter": "{{ '%999999999d'|format(1) }}",
    "format of many fields": "{{ ('{0}' * 99999).format('x' * 99999) }}",
    "wide center": "{{ 'a'|center(10**9) }}",
    "wide center method": "{{ 'a'.center(10**9) }}",
    "wide ljust": "{{ 'a'.ljust(10**9) }}",
    "wide zfill": "{{ 'a'.zfill(10**9) }}",
    "wide tabs": "{{ '\\t'.expandtabs(10**9) }}",
    "wide indent": "{{ ('a\\n' * 9999)|indent(99999) }}",
    "indent by a text": "{{ ('a\\n' * 99999)|indent('x' * 99999) }}",
    "wide batch": "{{ [1]|batch(10**9, 0)|list|length }}",
    "wide slice": "{{ [1]|slice(10**9, 0)|list|length }}",
    "fine round": "{{ 1|round(10**9) }}",
    "less fine round": "{{ 1|round(3000000, 'ceil') }}",
    "many fine rounds": "{% for i in range(20) %}{{ 1|round(1000000, 'ceil') }}{% endfor %}",
    "less wide slice": "{{ [1]|slice(5000000)|length }}",
    "less wide batch": "{{ [1]|batch(5000000, 0)|list|length }}",
    "fine round down": "{{ 1|round(10**9, 'floor') }}",
    "coarse round": "{{ 1|round(-(10**9)) }}",
    "replace by much": "{{ ('a' * 99999)|replace('a', 'b' * 99999) }}",
    "replace method by much": "{{ ('a' * 99999).replace('', 'b' * 99999) }}",
    "join by much": "{{ range(99999)|join('b' * 99999) }}",
    "join method by much": "{{ ('b' * 99999).join(('a' * 99999)|list) }}",
    "sum of lists": "{{ ([[1] * 999] * 99)|sum(start=[]) }}",
    "map of much": "{{ range(99999)|map('center', 99999)|list|length }}",
    "wordwrap": "{{ ('a ' * 99999)|wordwrap(1, wrapstring='b' * 99999) }}",
    "urlize": "{{ ('http://' * 99999)|urlize }}",
    "striptags": "{{ ('<!---->' * 99999)|striptags }}",
    "pprint": "{{ range(99999)|list|pprint }}",
    "tojson": "{{ [[[]]]|tojson(indent=10**9) }}",
    "compile time center": "{% if 'a'|center(10**9) %}{% endif %}",
    "compile time format": "{{ '%0999999999d'|format(1)|length }}",
    "compile time list": "{{ range(10**9)|list|length }}",
    "compile time escape": "{% autoescape 'a' * 10**9 %}{% endautoescape %}",
    "deep parentheses": "{{ " + "(" * _DEEP + "1" + ")" * _DEEP + " }}",
    "deep lists": "{{ " + "[" * _DEEP + "]" * _DEEP + " }}",
    "deep nots": "{{ " + "not " * _DEEP + "1 }}",
    "deep minus": "{{ " + "-" * _DEEP + "1 }}",
    "deep plus": "{{ 1" + "+1" * _DEEP + " }}",
    "deep conditions": "{{ " + "1 if 0 else " * _DEEP + "1 }}",
    "deep filters": "{{ 'a'" + "|upper" * _DEEP + " }}",
    "deep attributes": "{{ w" + ".a" * _DEEP + " }}",
    "deep keys": "{{ w" + "[0]" * _DEEP + " }}",
    "deep calls": "{{ w" + "()" * _DEEP + " }}",
    "deep ifs": "{% if 1 %}" * _DEEP + "{% endif %}" * _DEEP,
    "deep fors": "{% for a in [1] %}" * 30 + "{% endfor %}" * 30,
    "deep withs": "{% with %}" * _DEEP + "{% endwith %}" * _DEEP,
    "deep blocks": "".join(f"{{% block b{n} %}}" for n in range(_DEEP)) + "{% endblock %}" * _DEEP,
    "many parts": "{{ 1 }}" * 21_000,
    "many branches": "{% if 0 %}" + "{% elif 0 %}" * 11_000 + "{% endif %}",
}  # fmt: skip

# What only mails have.
OF_MAILS = {
    "text of a value in a comment": "{{ src('a', issue) }}",
    "many lists of stories": "{% for i in range(99999) %}{% set x = [issue.stories, "
    "issue.reading_order] %}{% endfor %}",
    "slot with a large fallback": "{{ slot('name', 'x' * 9999) }}",
    "merge with a large fallback": "{{ merge('{{ name | ' ~ 'x' * 9999 ~ ' }}') }}",
    "dates that nobody writes": "{% for i in range(99999) %}"
    "{% if issue.date|date('full', 'xx') %}{% endif %}{% endfor %}",
    "slot with a list": "{{ slot('name', [1]) }}",
    "many slots": "{% for a in range(99999) %}{{ slot('name', a|string) }}{% endfor %}",
    "many slots in a text": "{% for a in range(99999) %}"
    "{{ merge('{{ name | ' ~ a ~ ' }}') }}{% endfor %}",
}
_MARKDOWN = {
    "quotation marks": "{{ ('\"' * 400000)|FILTER }}",
    "brackets": "{{ ('[' * 400000)|FILTER }}",
    "stars": "{{ ('*a ' * 200000)|FILTER }}",
    "wide tables": "{{ ('|a' * 20000 ~ '\\n' ~ '|-' * 20000 ~ '\\n' ~ '|b\\n' * 50000)|FILTER }}",
    "many small texts": "{% for a in range(99999) %}{{ (a ~ '\"*a* ' * 9)|FILTER }}{% endfor %}",
}
OF_HTML = {name: text.replace("FILTER", "markdown") for name, text in _MARKDOWN.items()}
OF_TEXT = {
    **{name: text.replace("FILTER", "md_text") for name, text in _MARKDOWN.items()},
    "wrap with a wide indent": "{{ ('a ' * 99999)|wrap(1, '', 'b' * 99999) }}",
    "wrap with a dear indent": "{{ ('日 ' * 99999)|wrap(1, '', '日' * 199) }}",
    "wrap of tokens": "{% for i in range(990) %}{{ slot('name', i|string) }}{% endfor %}"
    "{% for i in range(99) %}{{ merge('{{ name }} ' * 20000)|wrap|length }}{% endfor %}",
    "wrap of much": "{% for a in range(99999) %}{{ ('日本' * 9999)|wrap|length }}{% endfor %}",
    "underline of much": "{{ ('a' * 99)|underline('b' * 999999) }}",
}
