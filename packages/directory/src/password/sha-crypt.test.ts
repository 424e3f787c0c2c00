import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseShaCrypt, shaCrypt } from './sha-crypt.ts';

function crypt(password: string, setting: string): string | undefined {
  const parsed = parseShaCrypt(setting);
  return parsed === undefined ? undefined : shaCrypt(Buffer.from(password), parsed);
}

const long = 'a very much longer text to encrypt.  This one even stretches over morethan one line.';

test("the specification's test vectors come out, for SHA-256 and SHA-512", () => {
  // Setting, password, digest; the salt is cut to 16 letters and the rounds rise to 1,000.
  const vectors: readonly (readonly [string, string, string])[] = [
    ['$5$saltstring', 'Hello world!', '$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5'],
    [
      '$5$rounds=10000$saltstringsaltstring',
      'Hello world!',
      '$5$rounds=10000$saltstringsaltst$3xv.VbSHBb41AL9AvLeujZkZRBAwqFMz2.opqey6IcA',
    ],
    [
      '$5$rounds=5000$toolongsaltstring',
      'This is just a test',
      '$5$rounds=5000$toolongsaltstrin$Un/5jzAHMgOGZ5.mWJpuVolil07guHPvOW8mGRcvxa5',
    ],
    [
      '$5$rounds=1400$anotherlongsaltstring',
      long,
      '$5$rounds=1400$anotherlongsalts$Rx.j8H.h8HjEDGomFU8bDkXm3XIUnzyxf12oP84Bnq1',
    ],
    [
      '$5$rounds=77777$short',
      'we have a short salt string but not a short password',
      '$5$rounds=77777$short$JiO1O3ZpDAxGJeaDIuqCoEFysAe1mZNJRs3pw0KQRd/',
    ],
    [
      '$5$rounds=123456$asaltof16chars..',
      'a short string',
      '$5$rounds=123456$asaltof16chars..$gP3VQ/6X7UUEW3HkBn2w1/Ptq2jxPyzV/cZKmF/wJvD',
    ],
    [
      '$5$rounds=10$roundstoolow',
      'the minimum number is still observed',
      '$5$rounds=1000$roundstoolow$yfvwcWrQ8l/K0DAWyuPMDNHpIVlTQebY9l/gL972bIC',
    ],
    [
      '$6$saltstring',
      'Hello world!',
      '$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1',
    ],
    [
      '$6$rounds=10000$saltstringsaltstring',
      'Hello world!',
      '$6$rounds=10000$saltstringsaltst$OW1/O6BYHV6BcXZu8QVeXbDWra3Oeqh0sbHbbMCVNSnCM/UrjmM0Dp8vOuZeHBy/YTBmSK6H9qs/y3RnOaw5v.',
    ],
    [
      '$6$rounds=5000$toolongsaltstring',
      'This is just a test',
      '$6$rounds=5000$toolongsaltstrin$lQ8jolhgVRVhY4b5pZKaysCLi0QBxGoNeKQzQ3glMhwllF7oGDZxUhx1yxdYcz/e1JSbq3y6JMxxl8audkUEm0',
    ],
    [
      '$6$rounds=1400$anotherlongsaltstring',
      long,
      '$6$rounds=1400$anotherlongsalts$POfYwTEok97VWcjxIiSOjiykti.o/pQs.wPvMxQ6Fm7I6IoYN3CmLs66x9t0oSwbtEW7o7UmJEiDwGqd8p4ur1',
    ],
    [
      '$6$rounds=77777$short',
      'we have a short salt string but not a short password',
      '$6$rounds=77777$short$WuQyW2YR.hBNpjjRhpYD/ifIw05xdfeEyQoMxIXbkvr0gge1a1x3yRULJ5CCaUeOxFmtlcGZelFl5CxtgfiAc0',
    ],
    [
      '$6$rounds=123456$asaltof16chars..',
      'a short string',
      '$6$rounds=123456$asaltof16chars..$BtCwjqMJGx5hrJhZywWvt0RLE8uZ4oPwcelCjmw2kSYu.Ec6ycULevoBK25fs2xXgMNrCzIMVcgEJAstJeonj1',
    ],
    [
      '$6$rounds=10$roundstoolow',
      'the minimum number is still observed',
      '$6$rounds=1000$roundstoolow$kUMsbe306n21p9R.FRkW3IGn.S9NPN0x50YhH1xhLsPuWGsUSklZt58jaTfF4ZEQpyUNGc0dqbpBYYBaHHrsX.',
    ],
  ];
  for (const [setting, password, expected] of vectors) assert.equal(crypt(password, setting), expected);
});

test('passwords as long as whole digests, an empty salt and octets beyond ASCII come out as in the C library', () => {
  const vectors: readonly (readonly [string, string, string])[] = [
    ['$5$saltstring', 'a'.repeat(32), '$5$saltstring$rjMPH2qyAsLvASQeJUKQQdHLfa3DC3Q9NLllO3sQ6m2'],
    ['$5$saltstring', 'a'.repeat(64), '$5$saltstring$il6Lknt3McjccQ.bI00HK1UEGUy7rZASVi/Shd9uiC7'],
    ['$5$saltstring', 'b'.repeat(128), '$5$saltstring$kxdp0RgVdUz1VuzTbDz.YCN/8TGBJrCzkRP/IdkyNv.'],
    ['$5$s', 'päß'.repeat(30), '$5$s$0.UVzw/A15jgCTlkOL7ujadNNxKOo.ZO5hECM3RQRy5'],
    ['$5$', 'x', '$5$$0Uor7kq6CTPY0DtjOiw.I2DuJSUfiZxCqkrafMVjNc8'],
    [
      '$6$saltstring',
      'a'.repeat(64),
      '$6$saltstring$xNfEGWEsbTgq/Y30XyIRNcZdD2drPqzAwh6fXDj7D6WVE0OazIpLhya3Bird/wrtzcCJhM8Es.wueUOoZXbEi/',
    ],
    [
      '$6$saltstring',
      'b'.repeat(128),
      '$6$saltstring$Tw3xWHrnyiIt9arzqxpai6SFj9TEKpnyC71SDoJMitzwo3Yjq2ShkuBSBLMe75Wr4/ZtXQLBjpFjE3A9y7L2F.',
    ],
    ['$6$abc', '', '$6$abc$mJP3a6FyA8uCnzRtlnNypPwjnvpi5TP9qOrInzrfDmwxUQG38PkpCPdqfTb8JQfAngapMxeim4AZ..hSdRRzD.'],
  ];
  for (const [setting, password, expected] of vectors) assert.equal(crypt(password, setting), expected);
});

test('what is no SHA-crypt is told', () => {
  for (const text of ['', '$1$a$b', '$6$salt$short', '$6$rounds=x$salt', '$6$a b', '$6$a$b$c']) {
    const parsed = parseShaCrypt(text);
    assert(parsed === undefined, text);
  }
});
