<?php
// Reads {versions, pairs} as JSON; writes whether the library had to be patched, the normal form
// and stability of each version (null where it is invalid), and the order of each pair.

use Composer\Semver\Comparator;

const LIBRARY = '/usr/share/php/Composer/Semver/';
require LIBRARY . 'autoload.php';

// Packagist has at least 3.4, which lets a date end in two small numbers where 3.3 takes one.
$parser = file_get_contents(LIBRARY . 'VersionParser.php');
$old = '(?:[.:-]?\d{1,3})?)';
$patched = strpos($parser, $old) !== false;
eval('?>' . str_replace($old, '(?:[.:-]?\d{1,3}){0,2})', $parser));

function verdict(string $version): ?array
{
    try {
        $normal = (new Composer\Semver\VersionParser())->normalize($version);
        return [$normal, Composer\Semver\VersionParser::parseStability($normal)];
    } catch (UnexpectedValueException $e) {
        return null;
    }
}

function order(array $pair): int
{
    [$low, $high] = array_map(fn ($version) => verdict($version)[0], $pair);
    return Comparator::greaterThan($low, $high) <=> Comparator::lessThan($low, $high);
}

['versions' => $versions, 'pairs' => $pairs] = json_decode(stream_get_contents(STDIN), true);
echo json_encode([$patched, array_map('verdict', $versions), array_map('order', $pairs)]);
