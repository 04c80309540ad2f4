/// The enumerations of Iron's identifications, version 2 (Iron's OpenAPI document, "Iron API - Sandbox" 1.0-16988).
enum IronEnums {
    static let intendedUse = [
        "Investing", "PaymentToFriendsFamilyorOthers", "PurchaseDigitalAssets",
        "OnlinePurchasesOfGoodsOrServices", "Trading",
    ]
    static let employmentStatus = [
        "Employed", "SelfEmployed", "Unemployed", "Retired", "Student",
    ]
    static let personProfileYearlyGrossIncome = [
        "LessThan20000", "From20001To30000", "From30001To40000", "From40001To50000", "From50001To60000",
        "From60001To70000", "From70001To80000", "From80001To90000", "From90001To100000", "From100001To110000",
        "From110001To120000", "From120001To130000", "From130001To140000", "From140001To150000",
        "MoreThan150000", "From150001To200000", "From200001To500000", "MoreThan500000",
    ]
    static let personProfileSourceOfWealth = [
        "Salary", "Savings", "Investments", "CryptoTrading", "Other",
    ]
    static let personProfileExpectedMonthlyTransactionCount = [
        "LessThan5", "Between5And10", "MoreThan10",
    ]
    static let personProfileExpectedMonthlyTransactionVolumeV2 = [
        "LessThan500", "MoreThan500LessThan2000", "MoreThan2000",
    ]
    static let occupation = [
        "Agriculture", "ArtsAndEntertainment", "Construction", "Education", "FinancialServices",
        "InformationAndTechnology", "Retail", "RealEstate", "Other", "BusinessOwner", "Healthcare",
        "Industrial", "LegalServices", "PublicSector", "SeniorManagement",
    ]
    static let approximateNetWorth = [
        "UpTo25000", "Between25001And50000", "Between50001And100000", "Between100001And300000",
        "Between300001And500000", "Between500001And1000000", "Over1000001",
    ]
    static let documentType = [
        "BusinessRegistrationDocument", "MemorandumOfAssociation", "ShareholdersRegistry", "Other", "ProofOfAddress",
    ]
    static let identityDocumentType = [
        "Passport", "NationalId", "DriverLicense", "ResidencePermit",
    ]
    static let companyType = [
        "LimitedLiabilityCompany", "PubliclyListedCompany", "SoleProprietorship", "Partnership",
        "Corporation", "Trust", "PrivateFoundation", "Charity", "NonprofitCorporation",
        "NonprofitOrganization", "PublicAgenciesOrAuthorities", "StockCorporationOutOfStock",
        "GeneralCorporation",
    ]
    static let companyDocType = [
        "PowerOfAttorney", "TransparencyRegistryExtract", "DirectorsRegistry", "GoodStandingCert",
        "IncorporationArticles", "IncorporationCert", "IncumbencyCert", "InformationStatement",
        "PartnershipAgreement", "ProofOfAddress", "ProofOfNatureOfBusiness", "RegulatoryLicense",
        "SelfDeclarationForm", "ShareholderRegistry", "StateRegistry", "TradeLicense", "TrustAgreement",
        "Other",
    ]
    static let companyPrimaryBeneficiaryRole = [
        "UltimateBeneficialOwner", "Representative", "Director", "Shareholder",
    ]
    static let businessIndustryType = [
        "Agriculture", "Automotive", "BankingAndFinancialServices", "ConstructionAndRealEstate",
        "CryptocurrencyAndBlockchain", "CryptocurrencyMining", "DecentralisedFinance", "NftPlatforms",
        "CryptoPaymentProcessors", "CryptoWalletProviders", "CryptoExchanges", "CryptoCustodyServices",
        "EcommerceAndOnlineMarketplaces", "EducationAndTraining", "EnergyAndUtilities",
        "EntertainmentAndMedia", "GamingAndEsports", "HealthcareAndPharmaceuticals", "HospitalityAndTourism",
        "InformationTechnologyAndSoftware", "Insurance", "LegalAndProfessionalServices",
        "LogisticsAndTransportation", "ManufacturingAndIndustrial", "MetaversePlatforms",
        "MiningAndNaturalResources", "NonProfitAndCharitable", "RetailAndWholesaleTrade",
        "Telecommunications", "VentureCapitalAndPrivateEquity", "CasinosAndGambling",
        "MoneyServiceBusinesses", "SocialMediaAndNetworking", "CrowdfundingPlatforms", "RegTech", "Other",
    ]
    static let businessEstimatedAnnualRevenue = [
        "Under100K", "From100KTo1M", "From1MTo10M", "From10MTo50M", "From50MTo250M", "Over250M",
    ]
    static let businessEstimatedMonthlyVolume = [
        "TenToTwentyFiveThousand", "TwentyFiveToFiftyThousand", "FiftyToOneHundredThousand",
        "OneHundredToTwoHundredFiftyThousand", "TwoHundredFiftyToFiveHundredThousand",
        "MoreThanFiveHundredThousand",
    ]
    static let businessEstimatedMonthlyTransactions = [
        "LessThanTen", "TenToTwentyFive", "TwentyFiveToFifty", "FiftyToOneHundred", "MoreThanOneHundred",
    ]
    static let businessPurposeAndIntendedUse = [
        "ReceivingBusinessIncome", "BusinessPurchasesAndExpenses", "EmployeeAndContractorPayouts",
        "EcommerceSales", "TreasuryManagement", "PaymentIntermediary", "Investments", "TaxPlanning",
        "AssetProtection", "Other",
    ]
    static let revenueSource = [
        "BusinessRevenue", "ShareholderFunds", "VcPrivateEquity", "AssetSale", "IcoProceeds",
        "CryptoActivityProceeds", "LoanProceeds", "Other",
    ]
}
