// Verifies DKIM signatures by mailauth. Reads {"records": {name: TXT}, "mails": [base64]}
// from standard input; prints for each mail what mailauth says of each signature in it.
// The records stand for the DNS; nothing is asked over the network.
const { dkimVerify } = require('mailauth/lib/dkim/verify');

async function main() {
    const chunks = [];
    for await (const chunk of process.stdin) chunks.push(chunk);
    const { records, mails } = JSON.parse(Buffer.concat(chunks));
    const resolver = async (name, type) => {
        if (type === 'TXT' && records[name]) return [[records[name]]];
        throw Object.assign(new Error(`no record ${type} ${name}`), { code: 'ENOTFOUND' });
    };
    const told = [];
    for (const mail of mails) {
        const { results } = await dkimVerify(Buffer.from(mail, 'base64'), { resolver });
        told.push(
            results.map(({ status, algo, selector, signingDomain, signingHeaders }) => ({
                result: status.result,
                algorithm: algo,
                selector,
                domain: signingDomain,
                fields: signingHeaders.keys
            }))
        );
    }
    console.log(JSON.stringify(told));
}

main();
