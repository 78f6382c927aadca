"""Pieces of dashboards: graphs and single numbers.

In expressions `{I` begins the labels of the chosen instances, `{G` those of the chosen groups too,
and `[R]` is the interval of a rate.
"""

SOURCE = {'type': 'prometheus', 'uid': '${DS_PROMETHEUS}'}
GREEN, YELLOW, RED, BLUE = 'green', 'yellow', 'red', 'blue'


def expand(expression):
    return (expression.replace('{G', '{instance=~"$instance",group=~"$group"')
            .replace('{I', '{instance=~"$instance"')
            .replace('[R]', '[$__rate_interval]'))


def quantiles(metric, name):
    """Targets for the median and the 99th percentile of a histogram."""
    bucket = f'sum by (instance, le) (rate({metric}_bucket{{I}}[R]))'
    return [(f'histogram_quantile({q}, {bucket})', f'{name} p{q * 100:g} {{{{instance}}}}')
            for q in (0.5, 0.99)]


def targets_of(targets):
    return [{'datasource': SOURCE, 'expr': expand(expression), 'legendFormat': legend,
             'range': True, 'refId': chr(ord('A') + at)}
            for at, (expression, legend) in enumerate(targets)]


def graph(title, description, unit, *targets, width=8, stack=False, most=None, dashed=None):
    """Lines over time. `dashed` is the name of a series that is a limit."""
    custom = {'lineWidth': 1, 'fillOpacity': 30 if stack else 8, 'showPoints': 'never',
              'spanNulls': False, 'stacking': {'mode': 'normal' if stack else 'none', 'group': 'A'}}
    defaults = {'unit': unit, 'min': 0, 'color': {'mode': 'palette-classic'}, 'custom': custom}
    if most is not None:
        defaults['max'] = most
    overrides = []
    if dashed:
        style = {'fill': 'dash', 'dash': [8, 8]}
        overrides.append({
            'matcher': {'id': 'byRegexp', 'options': f'/^{dashed}/'},
            'properties': [{'id': 'custom.lineStyle', 'value': style},
                           {'id': 'custom.fillOpacity', 'value': 0},
                           {'id': 'color', 'value': {'mode': 'fixed', 'fixedColor': RED}}]})
    return {'type': 'timeseries', 'title': title, 'description': description,
            'datasource': SOURCE, 'gridPos': {'w': width, 'h': 8},
            'fieldConfig': {'defaults': defaults, 'overrides': overrides},
            'options': {'legend': {'displayMode': 'table', 'placement': 'bottom',
                                   'showLegend': True, 'calcs': ['lastNotNull', 'max']},
                        'tooltip': {'mode': 'multi', 'sort': 'desc'}},
            'targets': targets_of(targets)}


def stat(title, description, unit, expression, *steps, words=None, legend='{{instance}}', width=4):
    """One number. Steps are (colour, from which value on); words are {value: text}."""
    thresholds = [{'color': color, 'value': value} for color, value in steps]
    mappings = [{'type': 'value', 'options': {
        str(value): {'text': text, 'index': at} for at, (value, text) in enumerate(words.items())
    }}] if words else []
    return {'type': 'stat', 'title': title, 'description': description, 'datasource': SOURCE,
            'gridPos': {'w': width, 'h': 4},
            'fieldConfig': {'defaults': {
                'unit': unit, 'mappings': mappings, 'color': {'mode': 'thresholds'},
                'thresholds': {'mode': 'absolute', 'steps': thresholds}}, 'overrides': []},
            'options': {'colorMode': 'background', 'graphMode': 'none', 'justifyMode': 'auto',
                        'orientation': 'auto', 'textMode': 'auto', 'wideLayout': True,
                        'showPercentChange': False, 'percentChangeColorMode': 'standard',
                        'reduceOptions': {'calcs': ['lastNotNull'], 'values': False}},
            'targets': targets_of([(expression, legend)])}
